/** What booking shows in its corners: how a stop is found, what a price consists of and how long it holds, and nobody coming. */
import {
  accessible,
  test as base,
  expect,
  HERE,
  ownServer,
  type Schemas,
  type Server,
  signIn,
} from './lorry.ts'

/** A server where prices and searches end soon, and one where cancelling costs something once a driver is on his way. */
const test = base.extend<{ brief: Server; dear: Server }>({
  dear: ownServer([], false, async (server) => {
    const admin = await server.staff('admin')
    await admin.call('PUT', '/v1/tariffs', {
      currency: 'SEK',
      items: [{ vehicle: 'van', base: 20000, per_km: 0, per_minute: 0, minimum: 0 }],
      cancellation: { free_minutes: 0, assigned_percent: 25, arrived_percent: 50 },
    })
  }),
  brief: ownServer(['--quote-ttl-s', '10', '--offer-timeout-s', '5', '--search-timeout-s', '8'], false),
})

test('a stop by arrow keys, from lately and by a pin; stops are added, moved and removed by buttons', async ({
  page,
  server,
}) => {
  test.skip(!server.hasStreets, 'the streets of the demo city are not here')
  await signIn(page, await server.register('customer'))
  const field = (name: string) => page.getByRole('combobox', { name, exact: true })
  const options = page.getByRole('option')
  await field('Pickup').fill('korsv')
  await expect(options.filter({ hasText: 'Korsvägen' })).toBeVisible()
  await page.keyboard.press('ArrowDown')
  await expect(options.nth(1)).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('ArrowUp')
  await expect(options.first()).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('Enter')
  await expect(field('Pickup')).toHaveValue(/Korsv/)

  await field('Drop-off').focus()
  await expect(options.filter({ hasText: 'Korsvägen' })).toBeVisible() // from lately, before anything is typed
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Enter')
  await expect(page.getByText('Tap the place on the map')).toBeVisible()
  await page.locator('.maplibregl-canvas').click({ position: { x: 200, y: 200 } })
  await expect(field('Drop-off')).not.toHaveValue('')
  const pinned = await field('Drop-off').inputValue()
  await expect(page.getByRole('button', { name: 'See prices' })).toBeEnabled()

  await page.getByRole('button', { name: 'Add a stop' }).click()
  await expect(page.getByRole('button', { name: 'See prices' })).toBeDisabled() // it is nowhere yet
  await page.getByRole('button', { name: 'Move Pickup down' }).click()
  await expect(field('Pickup')).toHaveValue(pinned)
  await expect(field('Drop-off 1')).toHaveValue(/Korsv/)
  await accessible(page)
  await page.getByRole('button', { name: 'Remove Drop-off 2' }).click()
  await expect(page.getByRole('button', { name: 'See prices' })).toBeEnabled()
})

test('a price shows its parts, runs out and is asked for anew; a booking that nobody takes can be tried again', async ({
  page,
  brief: server,
}) => {
  const customer = await server.register('customer')
  const before = await server.book(customer)
  await customer.call('POST', `/v1/bookings/${before.id}/cancel`, {})
  await signIn(page, customer, `/book/${before.id}`)
  await page.getByRole('button', { name: 'Book this again' }).click()
  const van = page.getByRole('radio', { name: /^Van/ })
  await expect(van).toHaveAccessibleName(/Furniture, pallets · nobody free just now.*\d/)
  await expect(page.getByRole('radio')).toHaveCount(4)
  await expect(page.getByText(/This price holds for 0:\d\d/)).toBeVisible()

  await expect(page.getByRole('alert')).toContainText('This price has run out')
  await expect(page.getByRole('button', { name: /Continue with Van/ })).toBeDisabled()
  await accessible(page)
  await page.getByRole('button', { name: 'Get a fresh price' }).click()
  await expect(page.getByText(/This price holds for/)).toBeVisible()
  await page.getByRole('button', { name: /Continue with Van/ }).click()
  await expect(page.getByText('Base', { exact: true })).toBeVisible()
  await expect(page.getByText('Total', { exact: true })).toBeVisible()
  await page.getByRole('button', { name: /^Book Van/ }).click()

  await expect(page.getByText('No driver was free in time. Nothing is charged.')).toBeVisible()
  await page.getByText('What has happened').click()
  await expect(page.getByRole('listitem').filter({ hasText: 'Booked' })).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: 'Try again now' }).click()
  await expect(page.getByText(/This price holds for/)).toBeVisible()
})

test('what cancelling costs is said before it is done, and follows when it becomes dearer meanwhile', async ({
  page,
  dear: server,
}) => {
  const customer = await server.register('customer')
  const driver = await server.driver(HERE)
  const booking = await server.book(customer)
  await server.accept(driver)
  await signIn(page, customer, `/book/${booking.id}`)
  await page.getByRole('button', { name: 'Cancel the booking' }).click()
  const asked = page.getByRole('alertdialog')
  await expect(asked).toContainText(/Cancelling costs SEK\s50\./)
  await accessible(page)
  await asked.getByRole('button', { name: 'Keep the booking' }).click()
  expect((await customer.call<Schemas['Booking']>('GET', `/v1/bookings/${booking.id}`)).state).toBe(
    'assigned',
  )
  await page.getByRole('button', { name: 'Cancel the booking' }).click()
  await expect(asked).toContainText(/Cancelling costs SEK\s50\./)
  await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status: 'arrived_pickup' })
  await expect(asked).toContainText(/Cancelling costs SEK\s100\./) // by itself
  await asked.getByRole('button', { name: 'Cancel it' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Cancelled')
  expect(await customer.call('GET', `/v1/bookings/${booking.id}`)).toMatchObject({ cancel_fee: 10_000 })
})
