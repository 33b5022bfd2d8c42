/** Bookings for later: a time of the service area's clock, another one that costs more, and a time instead of nobody. */
import { accessible, test as base, expect, ownServer, type Person, type Server, signIn } from './lorry.ts'

/** A house in New York, with a night that costs more, and searches that end soon. */
const test = base.extend<{ house: Server }>({
  house: ownServer(['--offer-timeout-s', '5', '--search-timeout-s', '6'], true, async (server) => {
    const admin = await server.staff('admin')
    await admin.call('PUT', '/v1/tariffs', {
      currency: 'SEK',
      timezone: 'America/New_York',
      items: [{ vehicle: 'van', base: 10000, per_km: 0, per_minute: 0, minimum: 0 }],
      night: { from: '22:00', to: '06:00', add_percent: 50 },
    })
  }),
})
test.use({ timezoneId: 'Europe/Stockholm' })

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)

async function book(customer: Person, window: object) {
  const stops = [
    { lat: 57.7089, lng: 11.9746, address: 'Drottningtorget' },
    { lat: 57.6969, lng: 11.9865, address: 'Korsvägen' },
  ]
  const { quotes } = await customer.call<{ quotes: { id: string }[] }>('POST', '/v1/quotes', {
    vehicle: 'van',
    stops,
    ...window,
  })
  return customer.call<{ id: string }>('POST', '/v1/bookings', { quote_id: quotes[0]?.id })
}

test('for later: the time is of the area, its price too, and it can be cancelled', async ({
  page,
  house: server,
}) => {
  test.skip(!server.hasStreets, 'the streets of the demo city are not here')
  await signIn(page, await server.register('customer'))
  for (const [name, text] of [
    ['Pickup', 'Drottningtorget'],
    ['Drop-off', 'Korsvägen'],
  ] as const) {
    await page.getByRole('combobox', { name, exact: true }).fill(text)
    await page
      .getByRole('option', { name: new RegExp(text) })
      .first()
      .waitFor()
    await page.keyboard.press('Enter')
  }
  await page.getByLabel('Choose a time').check()
  await page.getByLabel('Day').fill(inDays(-2)) // of UTC's, and so the area's yesterday at the latest
  await expect(page.getByRole('alert')).toContainText('has gone by')
  await expect(page.getByRole('button', { name: 'See prices' })).toBeDisabled()
  await page.getByLabel('Day').fill(inDays(3))
  await page.getByLabel('From', { exact: true }).fill('10:00')
  await page.getByLabel('Until').fill('10:05')
  await expect(page.getByRole('alert')).toContainText('15 minutes')
  await page.getByLabel('Until').fill('12:00')
  await expect(page.getByText(/Times are those of America\/New_York. By your clock: .*16:00/)).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: 'See prices' }).click()
  await expect(page.getByText(/10:00.*12:00 \(America\/New_York\)/)).toBeVisible()
  await expect(page.getByText('what demand adds now is left out')).toBeVisible()
  await accessible(page)
  await page.getByLabel(/Van/).check()
  await page.getByRole('button', { name: /Continue with Van/ }).click()
  await expect(page.getByText(/10:00.*12:00 \(America\/New_York\)/)).toBeVisible()
  await page.getByRole('button', { name: /^Book Van/ }).click()
  await page.waitForURL('**/book/bkg_*')
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Booked for later')
  await expect(page.getByText(/We look for a driver/)).toBeVisible()
  await accessible(page)

  await page.getByRole('link', { name: 'Bookings' }).click()
  await page.getByRole('button', { name: 'For later' }).click()
  await expect(page.getByRole('listitem').filter({ hasText: /10:00.*12:00/ })).toHaveCount(1)
  await accessible(page)
  await page.getByRole('listitem').getByRole('link').click()
  await page.getByRole('button', { name: 'Cancel the booking' }).click()
  await page.getByRole('button', { name: 'Cancel it' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Cancelled')
})

test('another time: what costs more is asked first', async ({ page, house: server }) => {
  const customer = await server.register('customer')
  const booking = await book(customer, {
    pickup_window: { from: `${inDays(3)}T16:00:00Z`, to: `${inDays(3)}T18:00:00Z` },
  })
  await signIn(page, customer, `/book/${booking.id}`)
  await page.getByRole('button', { name: 'Change the time' }).click()
  const dialog = page.getByRole('alertdialog')
  await dialog.getByLabel('From', { exact: true }).fill('23:00')
  await dialog.getByLabel('Until').fill('01:00')
  await accessible(page)
  await dialog.getByRole('button', { name: 'Change it' }).click()
  await expect(dialog.getByRole('alert')).toContainText(/costs SEK\s150 instead of SEK\s100/)
  await accessible(page)
  await dialog.getByRole('button', { name: /^Change it for/ }).click()
  await expect(dialog).toHaveCount(0)
  await expect(page.getByText(/23:00.*01:00 \(America\/New_York\)/)).toBeVisible()
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Booked for later')
})

test('nobody takes it: try again, or choose a time', async ({ page, house: server }) => {
  const customer = await server.register('customer')
  const booking = await book(customer, {})
  await signIn(page, customer, `/book/${booking.id}`)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('No driver was found')
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: 'Choose a time' }).click()
  await expect(page.getByRole('combobox', { name: 'Pickup', exact: true })).toHaveValue('Drottningtorget')
  await expect(page.getByLabel('Choose a time')).toBeChecked()
  await page.getByRole('button', { name: 'See prices' }).click()
  await expect(page.getByText('what demand adds now is left out')).toBeVisible()
})

test('a receipt, a driver who is asked first, and the same trip once more', async ({
  page,
  house: server,
}) => {
  test.skip(!server.hasStreets, 'the streets of the demo city are not here')
  const driver = await server.driver({ lat: 57.7089, lng: 11.9746 })
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await server.accept(driver)
  for (const status of ['arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered'])
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
  await signIn(page, customer, `/book/${booking.id}`)
  await page.getByText(/^Receipt/).click()
  await expect(page.getByRole('table').getByText('Total')).toBeVisible()
  const star = page.getByRole('button', { name: 'Ask Ola first next time' })
  await expect(star).toHaveAttribute('aria-pressed', 'false')
  await star.click()
  await expect(star).toHaveAttribute('aria-pressed', 'true')
  await accessible(page)
  await page.getByRole('button', { name: 'Book this again' }).click()
  await page.getByLabel(/Van/).check()
  await page.getByRole('button', { name: /Continue with Van/ }).click()
  await page.getByLabel('Ask my favourite drivers first').check()
  await accessible(page)
  await page.getByRole('button', { name: /^Book Van/ }).click()
  await page.waitForURL('**/book/bkg_*')
  const again = await customer.call<{ items: { prefer_favourites: boolean }[] }>(
    'GET',
    '/v1/bookings?limit=1',
  )
  expect(again.items[0]?.prefer_favourites).toBe(true)
})
