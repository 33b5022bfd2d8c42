/** Other stops while a booking is under way: the price before, the change, and the driver who is told. A server of its own. */
import { accessible, test as base, expect, HERE, ownServer, type Server, signIn, THERE } from './lorry.ts'

const test = base.extend<{ own: Server }>({
  own: ownServer(),
})
test.use({
  viewport: { width: 390, height: 800 },
  permissions: ['geolocation'],
  geolocation: { latitude: HERE.lat, longitude: HERE.lng, accuracy: 8 },
})
const FAR = { lat: 57.7016, lng: 11.9668 }
const stops = [
  { ...HERE, address: 'Drottningtorget' },
  { ...FAR, address: 'Avenyn' },
  { ...THERE, address: 'Korsvägen' },
]

test('the customer sees the price before, and the driver sees the change', async ({ page, own, browser }) => {
  const customer = await own.register('customer')
  const driver = await own.driver(HERE)
  const { quotes } = await customer.call<{ quotes: { id: string }[] }>('POST', '/v1/quotes', {
    vehicle: 'van',
    stops,
  })
  const booking = await customer.call<{ id: string; price: { total: number } }>('POST', '/v1/bookings', {
    quote_id: quotes[0]?.id,
  })
  await own.accept(driver)
  const kept = () =>
    customer.call<{ stops: { address: string }[]; price: { total: number } }>(
      'GET',
      `/v1/bookings/${booking.id}`,
    )
  const cab = await browser.newContext({ viewport: { width: 390, height: 800 } })
  const drive = await cab.newPage()
  await signIn(drive, driver)
  await expect(drive.getByText('Drottningtorget').first()).toBeVisible()

  await signIn(page, customer, `/book/${booking.id}`)
  await page.getByRole('button', { name: 'Change stops' }).click()
  const dialog = page.getByRole('dialog', { name: 'Change stops' })
  const look = dialog.getByRole('button', { name: 'See the price' })
  await expect(dialog.getByRole('listitem').first()).toContainText('stays') // the pickup
  await expect(look).toBeDisabled() // nothing is changed yet
  await dialog.getByRole('button', { name: 'Remove Drop-off 2' }).click()
  await accessible(page)
  await look.click()
  await expect(dialog.getByRole('status').filter({ hasText: 'less than now' })).toBeVisible()
  expect((await kept()).stops).toHaveLength(3) // it was only shown
  await accessible(page)
  await dialog.getByRole('button', { name: /^Change for / }).click()
  await expect(dialog).toHaveCount(0)
  await expect
    .poll(async () => (await kept()).stops.map((s) => s.address))
    .toEqual(['Drottningtorget', 'Avenyn'])
  expect((await kept()).price.total).toBeLessThan(booking.price.total)

  const told = drive.getByRole('alert').filter({ hasText: 'have changed' })
  await expect(told).toBeVisible()
  await accessible(drive)
  await drive.reload()
  await expect(told).toBeVisible() // until he has read it
  await told.getByRole('button').click()
  await expect(told).toHaveCount(0)
  await drive.reload()
  await expect(drive.getByText('Drottningtorget').first()).toBeVisible()
  await expect(told).toHaveCount(0)
  await cab.close()

  await page.getByText('What has happened').click()
  await expect(page.getByText('Its stops were changed')).toBeVisible()
})

test('somebody else was faster: nothing is changed, and he begins anew from what there is', async ({
  page,
  own,
}) => {
  const customer = await own.register('customer')
  const { quotes } = await customer.call<{ quotes: { id: string }[] }>('POST', '/v1/quotes', {
    vehicle: 'van',
    stops,
  })
  const booking = await customer.call<{ id: string }>('POST', '/v1/bookings', { quote_id: quotes[0]?.id })
  const staff = await own.staff('dispatcher')
  await signIn(page, customer, `/book/${booking.id}`)
  await page.getByRole('button', { name: 'Change stops' }).click()
  const dialog = page.getByRole('dialog', { name: 'Change stops' })
  await dialog.getByRole('button', { name: 'Move Drop-off 2 up' }).press('Enter')
  await dialog.getByRole('button', { name: 'See the price' }).click()
  const change = dialog.getByRole('button', { name: /^Change for / })
  await expect(change).toBeVisible()
  await staff.call('POST', `/v1/bookings/${booking.id}/stops`, {
    stops: [{ index: 0 }, { index: 1 }],
    stops_revision: 0,
    reason: 'They rang',
  })
  await change.click()
  await expect(dialog.getByRole('alert')).toBeVisible()
  await accessible(page)
  await expect(page.getByText('Korsvägen')).toHaveCount(1) // in the dialog alone by now
  await dialog.getByRole('button', { name: /^Start again/ }).click()
  await expect(dialog.getByRole('listitem')).toHaveCount(2)
  await expect(dialog.getByText('Korsvägen')).toHaveCount(0)
})

test('a dispatcher changes the stops of a live booking, says why, and the driver and the customer see it', async ({
  page,
  own,
  browser,
}) => {
  const customer = await own.register('customer')
  const driver = await own.driver(HERE)
  const { quotes } = await customer.call<{ quotes: { id: string }[] }>('POST', '/v1/quotes', {
    vehicle: 'van',
    stops,
  })
  const booking = await customer.call<{ id: string }>('POST', '/v1/bookings', { quote_id: quotes[0]?.id })
  await own.accept(driver)
  const cab = await browser.newContext({ viewport: { width: 390, height: 800 } })
  const drive = await cab.newPage()
  await signIn(drive, driver)
  await expect(drive.getByText('Drottningtorget').first()).toBeVisible()
  await page.setViewportSize({ width: 1280, height: 800 })
  await signIn(page, await own.staff('dispatcher'), `/dispatch?job=${booking.id}`)
  await page.getByRole('button', { name: 'Change stops' }).press('Enter')
  const dialog = page.getByRole('dialog', { name: 'Change stops' })
  await dialog.getByRole('button', { name: '+ Add a stop' }).press('Enter')
  await dialog.getByRole('combobox').fill('järntorg')
  await dialog
    .getByRole('option', { name: /Järntorg/ })
    .first()
    .waitFor()
  await page.keyboard.press('Enter')
  await accessible(page)
  await dialog.getByRole('button', { name: 'See the price' }).press('Enter')
  await expect(dialog.getByRole('status').filter({ hasText: 'more than now' })).toBeVisible()
  const change = dialog.getByRole('button', { name: /^Change for / })
  await expect(change).toBeDisabled() // not without a reason
  await dialog.getByLabel('Note for this stop').fill('Code 77, second floor')
  await expect(dialog.getByRole('status').filter({ hasText: 'more than now' })).toBeVisible() // the price stands
  await dialog.getByLabel('Why the stops change').fill('They rang')
  await accessible(page)
  await change.press('Enter')
  await expect(dialog).toHaveCount(0)
  const detail = page.getByRole('complementary')
  await expect(detail.getByText(/^Järntorg/)).toBeVisible()
  await expect(detail.getByText('Code 77, second floor')).toBeVisible()
  await detail.getByRole('button', { name: 'Add a note: Korsvägen' }).click()
  await detail.getByLabel('Note for this stop').fill('Ask for Siv')
  await accessible(page)
  await detail.getByRole('button', { name: 'Save the note' }).click()
  await expect(detail.getByText('Ask for Siv')).toBeVisible()
  await expect(detail.getByRole('button', { name: 'Change the note: Korsvägen' })).toBeVisible()
  await detail.getByText('What has happened').click()
  await expect(detail.getByText(/They rang/)).toBeVisible()

  const others = await browser.newContext({ viewport: { width: 390, height: 800 } })
  const his = await others.newPage()
  await signIn(his, customer, `/book/${booking.id}`)
  await expect(his.getByText(/^Järntorg/).first()).toBeVisible()
  await expect(his.getByText('Code 77, second floor')).toBeVisible()
  await expect(his.getByText('Ask for Siv')).toBeVisible()
  await others.close()
  await expect(drive.getByRole('alert').filter({ hasText: 'have changed' })).toBeVisible()
  await cab.close()
})
