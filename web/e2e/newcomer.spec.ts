/** What somebody meets who sees this for the first time. */
import { accessible, expect, HERE, type Schemas, signIn, THERE, test } from './lorry.ts'

const PHONE = { width: 360, height: 640 }

/** A draft whose stops are placed, as the page keeps it. */
const draft = JSON.stringify({
  stops: [
    { ...HERE, address: 'Drottningtorget' },
    { ...THERE, address: 'Korsvägen' },
  ].map((s, i) => ({ key: `k${i}`, ...s, contactName: '', contactPhone: '' })),
  notes: '',
  payment: 'card',
  vehicle: 'van',
  when: null,
  key: 'newcomer',
})

test('on a phone each step of booking begins at its top, with its heading in focus', async ({
  page,
  server,
}) => {
  await page.setViewportSize(PHONE)
  await page.addInitScript((kept) => sessionStorage.setItem('lorry.draft', kept), draft)
  await signIn(page, await server.register('customer'))
  const heading = page.getByRole('heading', { level: 1 })
  await expect(heading).toHaveText('Where should it go?')
  await expect(heading).not.toBeFocused() // whoever opens the page has pressed nothing
  await page.getByRole('button', { name: 'See prices' }).click()
  await expect(heading).toHaveText('Which vehicle?')
  await expect(heading).toBeFocused()
  const go = page.getByRole('button', { name: /Continue with Van/ })
  await go.scrollIntoViewIfNeeded()
  await expect(heading).not.toBeInViewport()
  await go.click()
  await expect(page.getByRole('button', { name: /^Book Van/ })).toBeAttached()
  await expect(heading).toBeInViewport()
  await expect(heading).toBeFocused()
  await accessible(page)
  await page.goBack()
  await expect(heading).toHaveText('Which vehicle?')
  await expect(heading).toBeInViewport()
})

test('each vehicle says its own way and time', async ({ page, server }) => {
  test.skip(!server.hasStreets, 'the streets of the demo city are not here')
  const customer = await server.register('customer')
  const { quotes } = await customer.call<Schemas['Quotes']>('POST', '/v1/quotes', { stops: [HERE, THERE] })
  const minutes = (vehicle: string) =>
    Math.max(1, Math.round((quotes.find((q) => q.vehicle === vehicle)?.duration_s ?? 0) / 60))
  expect(minutes('bike')).not.toBe(minutes('van'))
  await page.addInitScript((kept) => sessionStorage.setItem('lorry.draft', kept), draft)
  await signIn(page, customer, '/book?step=vehicle')
  for (const [name, vehicle] of [
    ['Bike', 'bike'],
    ['Van', 'van'],
  ] as const)
    await expect(page.getByRole('radio', { name: new RegExp(`^${name}`) })).toHaveAccessibleName(
      new RegExp(`km, ${minutes(vehicle)} mins? of driving`),
    )
})

test('the office reads where goods are by its own lights, their customer by his', async ({
  page,
  server,
}) => {
  const driver = await server.driver(HERE)
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await server.accept(driver)
  for (const status of ['arrived_pickup', 'picked_up'])
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
  await signIn(page, await server.staff('dispatcher'), `/dispatch?job=${booking.id}`)
  await expect(page.getByRole('heading', { level: 2 })).toContainText('On the way to the drop-off')
  await expect(page.getByText('On the way to you')).toHaveCount(0)
  await page.getByRole('button', { name: 'Account and settings' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL('**/sign-in')
  await signIn(page, customer, `/book/${booking.id}`)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('On the way to you')
  for (const status of ['arrived_dropoff', 'delivered'])
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('a filter that is chosen looks chosen, to eyes and to ears', async ({ page, server }) => {
  const looks = (name: string) =>
    page
      .getByRole('button', { name, exact: true })
      .evaluate((e) => [getComputedStyle(e).color, getComputedStyle(e).borderTopColor])
  await signIn(page, await server.register('customer'), '/book/history')
  for (const [chosen, other] of [
    ['All', 'Under way'],
    ['Under way', 'All'],
  ] as const) {
    await page.getByRole('button', { name: chosen, exact: true }).click()
    await expect(page.getByRole('button', { pressed: true })).toHaveText(chosen)
    await expect
      .poll(async () => {
        const [a, b] = [await looks(chosen), await looks(other)]
        return a.every((colour, i) => colour !== b[i])
      })
      .toBe(true)
  }
})

test('places that do not fit on a phone: the current one is in view, the rest is told of', async ({
  page,
  server,
}) => {
  await page.setViewportSize(PHONE)
  await signIn(page, await server.staff('admin'), '/admin/audit')
  const nav = page.getByRole('navigation', { name: 'Administration' })
  const current = nav.locator('[aria-current=page]')
  await expect(current).toHaveText('Audit log')
  await expect(current).toBeInViewport({ ratio: 1 })
  const arrows = nav.locator('..').locator('> button')
  await expect(arrows).not.toHaveCount(0) // there are more than these
  await accessible(page)
  const back = arrows.filter({ hasText: '‹' }) // and never the other one, which may be the first by then
  await expect(async () => {
    if ((await back.count()) > 0) await back.click({ timeout: 500 })
    await expect(nav.getByRole('link').first()).toBeInViewport({ ratio: 1, timeout: 500 })
  }).toPass()
  await page.evaluate(() => localStorage.setItem('lorry.language', 'ar'))
  await page.reload()
  await expect(page.locator('html')).toHaveAttribute('dir', 'rtl')
  await expect(page.locator('main nav [aria-current=page]')).toBeInViewport({ ratio: 1 })
})

test('whose map it is can be read, light and dark', async ({ page, server }) => {
  test.skip(!server.hasStreets, 'the streets of the demo city are not here')
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await signIn(page, customer, `/book/${booking.id}`)
  const mark = page.locator('.maplibregl-ctrl-attrib')
  await expect(mark).toContainText('OpenStreetMap')
  const contrast = () =>
    mark.evaluate((e) => {
      const light = (colour: string) => {
        const [r = 0, g = 0, b = 0, alpha = 1] = (colour.match(/[\d.]+/g) ?? []).map(Number)
        if (alpha < 1) throw new Error(`what lies below ${colour} shows through`)
        const [x, y, z] = [r, g, b].map((c) => ((c / 255 + 0.055) / 1.055) ** 2.4) as [number, number, number]
        return 0.2126 * x + 0.7152 * y + 0.0722 * z
      }
      const word = e.querySelector('a') ?? e
      const both = [light(getComputedStyle(word).color), light(getComputedStyle(e).backgroundColor)]
      return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05)
    })
  expect(await contrast()).toBeGreaterThan(4.5)
  await page.emulateMedia({ colorScheme: 'dark' })
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
  expect(await contrast()).toBeGreaterThan(4.5)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
})

test('a part of a page that does not come at first takes nothing with it, and comes', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  let refused = 0
  await page.route(/assets\/ChangeStops-.*\.js$/, (route) =>
    ++refused <= 2 ? route.abort() : route.continue(),
  )
  await signIn(page, customer, `/book/${booking.id}`)
  await expect(page.getByRole('heading', { level: 1 })).toContainText(/Looking for a driver|Asking drivers/)
  await expect.poll(() => refused).toBeGreaterThan(0)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await expect(page.getByRole('button', { name: 'Change stops' })).toBeVisible()
  expect(refused).toBeGreaterThan(2) // fetched, then imported
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
})
