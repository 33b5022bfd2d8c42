/** Who sees whose number, and what is to be known at a stop. Servers of its own: one masks numbers as soon as a job is over. */
import { accessible, test as base, expect, HERE, ownServer, type Server, signIn, THERE } from './lorry.ts'

const test = base.extend<{ own: Server; forgetful: Server }>({
  own: ownServer(),
  forgetful: ownServer(['--contact-hours', '0']),
})
test.use({
  viewport: { width: 390, height: 800 },
  permissions: ['geolocation'],
  geolocation: { latitude: HERE.lat, longitude: HERE.lng, accuracy: 8 },
})
const stops = [
  { ...HERE, address: 'Drottningtorget 5' },
  { ...THERE, address: 'Korsvägen 2' },
]
const BO = { name: 'Bo Ek', phone: '+46702223344' }

async function book(server: Server) {
  const customer = await server.register('customer')
  const driver = await server.driver(HERE)
  const { quotes } = await customer.call<{ quotes: { id: string }[] }>('POST', '/v1/quotes', {
    vehicle: 'van',
    stops,
  })
  const booking = await customer.call<{ id: string }>('POST', '/v1/bookings', {
    quote_id: quotes[0]?.id,
    stops: [{ contact: BO, note: 'Code 1234' }, {}],
  })
  return { customer, driver, path: `/v1/bookings/${booking.id}`, page: `/book/${booking.id}` }
}

test('a note is written while booking, changed on the way, and read by who has the booking', async ({
  page,
  own,
  browser,
}) => {
  const { customer, driver, path, page: at } = await book(own)
  const cab = await browser.newContext({
    viewport: { width: 390, height: 800 },
    permissions: ['geolocation'],
    geolocation: { latitude: HERE.lat, longitude: HERE.lng, accuracy: 8 },
  })
  const drive = await cab.newPage()
  await signIn(drive, driver)
  const offer = drive.getByRole('alertdialog')
  await expect(offer).toContainText('Drottningtorget') // the street …
  await expect(offer).not.toContainText('Drottningtorget 5') // … not the house
  await expect(drive.getByText('1234')).toHaveCount(0)
  await own.accept(driver)
  await expect(drive.getByRole('note', { name: 'Note for this stop' })).toHaveText('Code 1234')
  await expect(drive.getByText('Drottningtorget 5').first()).toBeVisible()
  await expect(drive.getByRole('link', { name: 'Call Bo Ek' })).toHaveAttribute('href', `tel:${BO.phone}`)
  await accessible(drive)

  await signIn(page, customer, at)
  await expect(page.getByRole('link', { name: 'Call' })).toBeVisible() // the driver
  await page.getByRole('button', { name: 'Change the note: Drottningtorget 5' }).click()
  await page.getByLabel('Note for this stop').fill('Code 99, fourth floor')
  await accessible(page)
  await page.getByRole('button', { name: 'Save the note' }).click()
  await expect(page.getByText('Code 99, fourth floor')).toBeVisible()
  await expect(drive.getByRole('note', { name: 'Note for this stop' })).toHaveText('Code 99, fourth floor')
  await expect(drive.getByRole('link', { name: 'Call Bo Ek' })).toBeVisible() // also after what was pushed
  await expect(page.getByRole('link', { name: 'Call' })).toBeVisible()
  // several lines stay several lines, also when one of them is changed
  const line = page.getByLabel('Note for this stop')
  await page.getByRole('button', { name: 'Change the note: Drottningtorget 5' }).click()
  await line.press('ControlOrMeta+End')
  await line.pressSequentially('\nAsk for Siv')
  await expect(line).toHaveValue('Code 99, fourth floor\nAsk for Siv')
  await page.getByRole('button', { name: 'Save the note' }).click()
  await expect(page.getByText('Ask for Siv')).toBeVisible()
  await page.getByRole('button', { name: 'Change the note: Drottningtorget 5' }).click()
  await line.press('ControlOrMeta+End')
  await line.pressSequentially(' Ek')
  await page.getByRole('button', { name: 'Save the note' }).click()
  await expect(page.getByText('Ask for Siv Ek')).toBeVisible()
  const kept = await customer.call<{ stops: { note: string | null }[] }>('GET', path)
  expect(kept.stops[0]?.note).toBe('Code 99, fourth floor\nAsk for Siv Ek')
  await page.getByText('What has happened').click()
  await expect(page.getByText('A note for a stop was changed')).toHaveCount(3)
  await cab.close()
})

test('what was typed for one stop does not come to another that has its number by then', async ({
  page,
  own,
}) => {
  const { customer, path, page: at } = await book(own)
  await signIn(page, customer, at)
  await page.getByRole('button', { name: 'Add a note: Korsvägen 2' }).click()
  await page.getByLabel('Note for this stop').fill('Gate 4')
  const elsewhere = { lat: 57.7016, lng: 11.9668, address: 'Avenyn 8' }
  await customer.call('POST', `${path}/stops`, {
    stops: [{ index: 0 }, elsewhere, { index: 1 }],
    stops_revision: 0,
    total: 1_000_000,
  })
  await expect(page.getByText('Avenyn 8')).toBeVisible()
  await expect(page.getByLabel('Note for this stop')).toHaveValue('Gate 4')
  await page.getByRole('button', { name: 'Save the note' }).click()
  await expect(page.getByRole('alert')).toBeVisible()
  type Stops = { stops: { note: string | null }[] }
  expect((await customer.call<Stops>('GET', path)).stops.map((s) => s.note)).toEqual([
    'Code 1234',
    null,
    null,
  ])
  await page.getByRole('button', { name: 'Leave it as it is' }).click()
  await page.getByRole('button', { name: 'Add a note: Korsvägen 2' }).click()
  await page.getByLabel('Note for this stop').fill('Gate 4')
  await page.getByRole('button', { name: 'Save the note' }).click()
  await expect(page.getByRole('button', { name: 'Change the note: Korsvägen 2' })).toBeVisible()
})

test('a job that is over has a masked number, and nothing to call it by', async ({
  page,
  forgetful,
  browser,
}) => {
  const { customer, driver, path, page: at } = await book(forgetful)
  await forgetful.accept(driver)
  for (const status of ['arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered'])
    await driver.call('POST', `${path}/status`, { status })
  await signIn(page, driver)
  await page.getByRole('link', { name: 'Jobs' }).click()
  const job = page.getByRole('listitem').filter({ hasText: 'Drottningtorget' }).first()
  await expect(job).toContainText('•••• 44')
  await expect(job).not.toContainText('Ek')
  await expect(page.locator('a[href^="tel:"], a[href^="sms:"]')).toHaveCount(0)
  await accessible(page)

  const home = await browser.newPage()
  await signIn(home, customer, at)
  await expect(home.getByRole('heading', { name: 'Delivered' })).toBeVisible()
  await expect(home.getByText('Code 1234')).toBeVisible() // he wrote it
  await expect(home.getByRole('button', { name: /the note/ })).toHaveCount(0)
  await expect(home.locator('a[href^="tel:"]')).toHaveCount(0)
  await home.close()
})

test('for a day after the job its driver can still call', async ({ page, own }) => {
  const { driver, path } = await book(own)
  await own.accept(driver)
  for (const status of ['arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered'])
    await driver.call('POST', `${path}/status`, { status })
  await signIn(page, driver)
  await page.getByRole('link', { name: 'Jobs' }).click()
  await expect(page.getByRole('link', { name: 'Call Bo Ek' })).toHaveAttribute('href', `tel:${BO.phone}`)
  await expect(page.getByText('1234')).toHaveCount(0)
})
