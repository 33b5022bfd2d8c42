/** WCAG 2.4.11: what has the focus is never wholly covered by something else, on no page, with nothing but the Tab key. */
import type { Page } from '@playwright/test'
import { expect, HERE, signIn, test } from './lorry.ts'

const STOPS_MAX = 150 // of the Tab key on one page

/** The thing in focus, and how much of it can be seen: of nine points of it those that nothing else lies over. */
const look = () => {
  const e = document.activeElement
  if (e === null || e === document.body) return null
  const name = (e.getAttribute('aria-label') ?? e.textContent ?? '').trim().slice(0, 40)
  const box = e.getBoundingClientRect()
  // A field that is drawn by its label (a star, a hidden file field) is where its label is.
  const hidden = box.width <= 1 || box.height <= 1
  const label = hidden ? (e as HTMLInputElement).labels?.[0] : undefined
  const { left, top, width, height } = (label ?? e).getBoundingClientRect()
  const seen = [0.1, 0.5, 0.9]
    .flatMap((x) => [0.1, 0.5, 0.9].map((y) => [left + x * width, top + y * height] as const))
    .filter(([x, y]) => {
      const there = document.elementFromPoint(x, y)
      return there !== null && ((label ?? e).contains(there) || there.contains(e))
    })
  return { key: `${e.tagName} "${name}" ${Math.round(left)},${Math.round(top)}`, seen: seen.length }
}

/** Goes through PAGE by the Tab key; what was covered. Not before it has gone round, or through this many. */
async function covered(page: Page, least = 4): Promise<string[]> {
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
  const found: string[] = []
  const been = new Set<string>()
  for (let i = 0; i < STOPS_MAX; i++) {
    await page.keyboard.press('Tab')
    const now = await page.evaluate(look)
    if (now === null || been.has(now.key)) break
    been.add(now.key)
    if (now.seen === 0) found.push(now.key)
  }
  expect(been.size, 'there is something to go through').toBeGreaterThanOrEqual(least)
  return found
}

test('what has the focus is never covered: customer, recipient and driver, on a small phone', async ({
  page,
  server,
  context,
}) => {
  test.slow()
  await page.setViewportSize({ width: 320, height: 568 })
  await context.grantPermissions(['geolocation'])
  await context.setGeolocation({ latitude: HERE.lat, longitude: HERE.lng })
  const customer = await server.register('customer')
  const driver = await server.driver(HERE)
  const booking = await server.book(customer, { name: 'Bo Ek', phone: '+46701112233' })
  await server.accept(driver)
  await signIn(page, customer)
  for (const path of ['/book', '/book/history', `/book/${booking.id}`, '/account/profile', '/account/told']) {
    await page.goto(server.url + path)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await page.waitForLoadState('networkidle')
    expect(await covered(page), path).toEqual([])
  }
  const follower = await context.newPage()
  await follower.setViewportSize({ width: 320, height: 568 })
  await follower.goto(`${server.url}/track/${booking.tracking_token}`)
  await expect(follower.getByRole('heading', { level: 1 })).toBeVisible()
  await expect(follower.locator('.maplibregl-canvas')).toBeVisible()
  expect(await covered(follower, 1), 'the tracking link').toEqual([])
  await follower.close()
  const other = await (await page.context().browser())?.newContext({
    viewport: { width: 320, height: 568 },
    permissions: ['geolocation'],
    geolocation: { latitude: HERE.lat, longitude: HERE.lng },
  })
  if (other === undefined) throw new Error('no browser')
  const his = await other.newPage()
  await signIn(his, driver)
  await expect(his.getByRole('heading', { level: 1 })).toHaveText('Drive to the pickup')
  for (const path of ['/drive', '/drive/papers', '/drive/earnings']) {
    await his.goto(server.url + path)
    await expect(his.getByRole('heading', { level: 1 })).toBeVisible()
    expect(await covered(his), path).toEqual([])
  }
  await other.close()
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('what has the focus is never covered: the console and the administration, at a desk and on a phone', async ({
  page,
  server,
}) => {
  test.slow()
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await signIn(page, await server.staff('admin'))
  for (const [size, paths] of [
    [
      { width: 1280, height: 720 },
      [`/dispatch?job=${booking.id}`, '/admin/tariffs/edit', '/admin/area/edit', '/admin/audit'],
    ],
    [
      { width: 320, height: 568 },
      ['/admin/accounts', '/admin/promos/new', '/admin/reports', '/admin/area/edit'],
    ],
  ] as const) {
    await page.setViewportSize(size)
    for (const path of paths) {
      await page.goto(server.url + path)
      await expect(page.locator('h1').first()).toBeAttached()
      await page.waitForTimeout(500)
      expect(await covered(page), `${path} at ${size.width} px`).toEqual([])
    }
  }
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
})
