/** When the driver will be there, as it changes; and what his positions say that he will say next. */
import type { Page } from '@playwright/test'
import { accessible, expect, HERE, type Person, type Schemas, type Server, signIn, test } from './lorry.ts'

test.use({
  viewport: { width: 390, height: 800 },
  permissions: ['geolocation'],
  geolocation: { latitude: HERE.lat, longitude: HERE.lng, accuracy: 8 },
})
const NEAR = { lat: HERE.lat - 0.004, lng: HERE.lng }
const FAR = { lat: HERE.lat - 0.12, lng: HERE.lng } // 13 km
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
const now = (who: Person, id: string) => who.call<Schemas['Booking']>('GET', `/v1/bookings/${id}`)
const clock = (at = '') =>
  new Date(at).toLocaleTimeString('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    timeZone: 'Europe/Stockholm',
  })
const minutes = (text: string) => {
  const [, hour = '', minute = ''] = /(\d\d):(\d\d)\D*$/.exec(text) ?? []
  return Number(hour) * 60 + Number(minute)
}

test('the window is the one that the server gives, and moves with it: for the customer and in the console', async ({
  page,
  server,
  browser,
}) => {
  test.slow()
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  const driver = await server.driver(NEAR)
  await server.accept(driver)
  await expect
    .poll(
      async () => {
        await server.move(driver, NEAR)
        return (await now(customer, booking.id)).stops[1]?.eta_to
      },
      { timeout: 40_000, intervals: [1_000] },
    )
    .toBeDefined()

  const desk = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB' })
  const console_ = await desk.newPage()
  await signIn(console_, await server.staff('dispatcher'), `/dispatch?job=${booking.id}`)
  await signIn(page, customer, `/book/${booking.id}`)
  const told = page.getByText(/^At the pickup between \d\d:\d\d and \d\d:\d\d$/)
  const listed = console_.getByRole('region', { name: 'Job' }).getByText(/^\d\d:\d\d – \d\d:\d\d$/)
  await expect
    .poll(async () => {
      const { eta_to } = (await now(customer, booking.id)).stops[0] ?? {}
      return (await told.textContent())?.endsWith(clock(eta_to))
    })
    .toBe(true)
  await expect(listed).toHaveCount(2) // a window of each stop that is left
  await accessible(page)
  const before = minutes((await told.textContent()) ?? '')
  const beforeThere = (await listed.first().textContent()) ?? ''

  // From here on nothing can be read anew: what changes has been pushed.
  const path = `**/v1/bookings/${booking.id}`
  for (const p of [page, console_]) await p.route(path, (route) => route.abort())
  await server.move(driver, FAR)
  await expect
    .poll(async () => (minutes((await told.textContent()) ?? '') - before + 1440) % 1440, { timeout: 30_000 })
    .toBeGreaterThan(4)
  await expect(listed.first()).not.toHaveText(beforeThere)
  await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status: 'arrived_pickup' })
  await expect(page.getByRole('heading', { level: 1 })).toContainText('At the pickup')
  await expect(told).toHaveCount(0)
  await expect(page.getByText(/^At the drop-off between/)).toBeVisible() // news without times do not forget them
  await desk.close()
  await driver.call('POST', `/v1/bookings/${booking.id}/release`, { reason: 'Done here' }).catch(() => null)
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' }).catch(() => null)
})

/** A job of a driver who is signed in on PAGE; he stands at the pickup, until his positions have said so. */
async function atThePickup(page: Page, server: Server): Promise<[Person, Person, Schemas['Booking']]> {
  const customer = await server.register('customer')
  const driver = await server.driver(HERE)
  const booking = await server.book(customer)
  await server.accept(driver)
  await signIn(page, driver)
  await expect(button(page, 'I am at the pickup')).toBeVisible()
  await expect
    .poll(
      async () => {
        await server.move(driver, HERE)
        return (await now(driver, booking.id)).suggestion
      },
      { timeout: 60_000, intervals: [2_000] },
    )
    .toEqual({ status: 'arrived_pickup', stop: 0 })
  return [customer, driver, booking]
}

test('what his positions say is offered with one tap, never said for him, and kept without a network', async ({
  page,
  server,
  context,
}) => {
  test.slow()
  const [customer, driver, booking] = await atThePickup(page, server)
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  await expect(page.getByRole('status').filter({ hasText: 'You have arrived at the pickup?' })).toBeVisible()
  const yes = button(page, 'Yes, I am at the pickup')
  await expect(button(page, 'I am at the pickup')).toHaveCount(1) // it is the action itself, with other words
  await accessible(page)
  const narrow = { width: 320, height: 640 }
  await page.setViewportSize(narrow)
  expect(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)).toBe(false)
  const box = await yes.boundingBox()
  expect(box?.height).toBeGreaterThanOrEqual(48)
  expect((await now(customer, booking.id)).state).toBe('assigned') // nobody has said it yet

  await context.setOffline(true)
  await yes.click()
  await expect(page.getByText(/1 step is kept here/)).toBeVisible()
  await expect(yes).toHaveCount(0)
  await expect(button(page, 'The goods are loaded')).toBeVisible()
  await expect(page.getByText('You have arrived at the pickup?')).toHaveCount(0)
  expect((await now(customer, booking.id)).state).toBe('assigned')
  await context.setOffline(false)
  await expect.poll(async () => (await now(customer, booking.id)).state).toBe('arrived_pickup')
  const { items } = await customer.call<{ items: { type: string }[] }>(
    'GET',
    `/v1/bookings/${booking.id}/timeline`,
  )
  expect(items.filter((e) => e.type === 'booking.progressed')).toHaveLength(1)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, { reason: 'Done here' })
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('a job is given back before the pickup: what that means is said, the reason asked, and it is not his any more', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer')
  const driver = await server.driver(HERE)
  const booking = await server.book(customer)
  await server.accept(driver)
  await signIn(page, driver)
  await button(page, 'Give the job back').click()
  const dialog = page.getByRole('alertdialog', { name: `Give job ${booking.code} back?` })
  await expect(dialog).toContainText('Another driver is looked for.')
  await expect(dialog.getByRole('button', { name: 'Give it back' })).toBeDisabled()
  await accessible(page)
  await page.keyboard.press('Escape') // nothing is given back by the way
  await expect(dialog).toHaveCount(0)
  expect((await now(customer, booking.id)).state).toBe('assigned')

  await button(page, 'Give the job back').press('Enter')
  await dialog.getByLabel('Why').fill('A puncture')
  await page.route('**/release', (route) => route.abort(), { times: 1 })
  await dialog.getByRole('button', { name: 'Give it back' }).click()
  await expect(dialog.getByRole('alert')).toBeVisible() // the server was not reached: the job is still his
  await expect(dialog.getByLabel('Why')).toHaveValue('A puncture')
  await dialog.getByRole('button', { name: 'Give it back' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toContainText('On duty')
  await expect.poll(async () => (await now(customer, booking.id)).driver).toBeNull()
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, { reason: 'Done here' })
})
