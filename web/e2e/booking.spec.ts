/** What booking shows in its corners: how a stop is found, what a price consists of and how long it holds, and nobody coming. */
import type { Locator, Page } from '@playwright/test'
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

/** Presses the grip of a row, and lets go of it in the middle of another. */
async function dragged(page: Page, from: Locator, to: Locator): Promise<void> {
  const [a, b] = [await from.locator('[data-grip]').boundingBox(), await to.boundingBox()]
  if (a === null || b === null) throw new Error('a row is not there')
  const x = a.x + a.width / 2
  await page.mouse.move(x, a.y + a.height / 2)
  await page.mouse.down()
  await page.mouse.move(x, b.y + b.height / 2 + (b.y > a.y ? 8 : -8), { steps: 5 })
  await page.mouse.up()
}

test('stops are dragged to another place, by mouse and by finger', async ({ browser, brief: server }) => {
  const context = await browser.newContext({ hasTouch: true, viewport: { width: 320, height: 900 } })
  const page = await context.newPage()
  const names = ['Drottningtorget', 'Avenyn', 'Korsvägen']
  await page.addInitScript(
    (kept) => {
      if (sessionStorage.getItem('lorry.draft') === null) sessionStorage.setItem('lorry.draft', kept)
    },
    JSON.stringify({
      stops: names.map((address, i) => ({
        key: `k${i}`,
        address,
        lat: HERE.lat - i / 100,
        lng: HERE.lng,
        contactName: '',
        contactPhone: '',
      })),
      notes: '',
      payment: 'card',
      vehicle: null,
      when: null,
      key: 'dragged',
    }),
  )
  await signIn(page, await server.register('customer'))
  const rows = page.locator('form ol > li')
  const order = () =>
    page.getByRole('combobox').evaluateAll((all) => all.map((e) => (e as HTMLInputElement).value))
  await expect.poll(order).toEqual(names)
  await dragged(page, rows.nth(0), rows.nth(2))
  await expect.poll(order).toEqual(['Avenyn', 'Korsvägen', 'Drottningtorget'])
  await dragged(page, rows.nth(2), rows.nth(1))
  await expect.poll(order).toEqual(['Avenyn', 'Drottningtorget', 'Korsvägen'])

  const grip = await rows.nth(0).locator('[data-grip]').boundingBox()
  const last = await rows.nth(2).boundingBox()
  if (grip === null || last === null) throw new Error('a row is not there')
  const client = await context.newCDPSession(page)
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', y?: number) =>
    client.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: y === undefined ? [] : [{ x: grip.x + grip.width / 2, y }],
    })
  await touch('touchStart', grip.y + grip.height / 2)
  for (let i = 1; i <= 4; i++) await touch('touchMove', grip.y + ((last.y + last.height - grip.y) * i) / 4)
  await touch('touchEnd')
  await expect.poll(order).toEqual(['Drottningtorget', 'Korsvägen', 'Avenyn'])
  await accessible(page)
  await context.close()
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
