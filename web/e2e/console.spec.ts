/** The console when something is in the way: a proxy that lets no socket through, a list that cannot be read, a hand on the map. */
import { accessible, expect, HERE, Server, signIn, test, withoutSockets } from './lorry.ts'

test('a proxy lets no socket through: the console asks every few seconds, and says so', async ({
  page,
  server,
}) => {
  const proxy = await withoutSockets(server)
  const customer = await server.register('customer')
  await signIn(page, await server.staff('dispatcher'), '', proxy.url)
  await expect(page.getByRole('status').filter({ hasText: 'Updates every few seconds' })).toBeVisible({
    timeout: 30_000,
  })
  const booking = await server.book(customer)
  await expect(page.getByRole('option', { name: new RegExp(booking.code) })).toBeVisible()
  await accessible(page)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  proxy.close()
})

test('the jobs are read once, and then followed: a console that stands open asks for nothing more', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer')
  await server.book(customer)
  const dispatcher = await server.staff('dispatcher')
  await signIn(page, dispatcher)
  await expect(page.getByRole('option').first()).toBeVisible()
  await page.waitForTimeout(1_000)
  let read = 0
  page.on('request', (request) => {
    if (/\/v1\/bookings\?/.test(request.url())) read++
  })
  const next = await server.book(customer) // many renders: the list, the counts, the map
  await expect(page.getByRole('option', { name: new RegExp(next.code) })).toBeVisible()
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.waitForTimeout(3_000)
  expect(read).toBe(0)
  const { items } = await dispatcher.call<{ items: { id: string }[] }>('GET', '/v1/bookings?state=active')
  for (const { id } of items) await dispatcher.call('POST', `/v1/bookings/${id}/cancel`, { reason: 'test' })
})

test('the jobs cannot be read: it says so, and reads them when asked again', async ({ page, server }) => {
  const list = /\/v1\/bookings\?/
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await page.route(list, (route) => route.abort())
  await signIn(page, await server.staff('dispatcher'))
  const retry = page.getByRole('alert').getByRole('button', { name: 'Try again' })
  await expect(retry).toBeVisible()
  await accessible(page)
  await page.unroute(list)
  const row = page.getByRole('option', { name: new RegExp(booking.code) })
  await expect(async () => {
    if (await retry.isVisible()) await retry.click({ timeout: 500 }) // the socket's news may have had it read already
    await expect(row).toBeVisible({ timeout: 2_000 })
  }).toPass()
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
})

test('what is chosen stays after a reload; a vehicle is followed until somebody moves the map', async ({
  page,
  server,
}) => {
  const driver = await server.driver(HERE, 'van', 'Ola Berg')
  const { id } = await driver.call<{ id: string }>('GET', '/v1/driver')
  await signIn(page, await server.staff('dispatcher'), `/dispatch?vehicle=${id}`)
  await page.reload()
  await expect(page.getByRole('heading', { level: 2 })).toHaveText('Ola Berg')
  await page.getByRole('button', { name: 'Follow on the map' }).click()
  await expect(page.getByRole('button', { name: 'Stop following' })).toBeVisible()
  const map = await page.locator('.maplibregl-canvas').boundingBox()
  if (map === null) throw new Error('no map')
  const [x, y] = [map.x + map.width / 2, map.y + map.height / 2]
  await page.mouse.move(x, y)
  await page.mouse.down()
  await page.mouse.move(x + 120, y + 60, { steps: 6 })
  await page.mouse.up()
  await expect(page.getByRole('button', { name: 'Follow on the map' })).toBeVisible()
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('the panes are as wide as one likes, by dragging and by keys, and stay so', async ({ page, server }) => {
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await signIn(page, await server.staff('dispatcher'), `/dispatch?job=${booking.id}`)
  const border = page.getByRole('separator', { name: 'Width of: Jobs' })
  const width = async (name: string) =>
    Number(await page.getByRole('separator', { name: `Width of: ${name}` }).getAttribute('aria-valuenow'))
  const box = await border.boundingBox()
  if (box === null) throw new Error('no border')
  await page.mouse.move(box.x + box.width / 2, box.y + 300)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width / 2 + 100, box.y + 300, { steps: 5 })
  await page.mouse.up()
  expect(await width('Jobs')).toBe(420)
  await page.getByRole('separator', { name: 'Width of: The job' }).focus()
  await page.keyboard.press('ArrowLeft')
  expect(await width('The job')).toBe(368)
  await page.reload()
  expect(await width('Jobs')).toBe(420)
  const detail = await page.getByRole('region', { name: 'The job' }).boundingBox()
  expect(Math.round(detail?.width ?? 0)).toBeGreaterThan(360)
  await accessible(page)
  await border.dblclick()
  expect(await width('Jobs')).toBe(320)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
})

test('an alert comes by itself, is said politely, and is seen to: for the others, too', async ({
  browser,
}) => {
  const server = new Server(['--unassigned-after-s', '5'], false)
  await server.start()
  const context = await browser.newContext({ locale: 'en-GB' })
  const page = await context.newPage()
  try {
    const customer = await server.register('customer')
    await signIn(page, await server.staff('dispatcher'))
    await page.getByRole('button', { name: /^Alerts/ }).click()
    await expect(page.getByText('Nothing needs you.')).toBeVisible()
    await accessible(page)
    const booking = await server.book(customer)
    const row = page.getByRole('list', { name: 'Alerts' }).getByRole('listitem')
    await expect(row).toContainText(booking.code, { timeout: 20_000 })
    await expect(row).toContainText('No driver')
    await expect(page.getByRole('status').filter({ hasText: '1 new alert' })).toHaveCount(1)
    await expect(page.getByRole('button', { name: /^Alerts/ })).toContainText('1')
    await accessible(page)

    const other = await (await browser.newContext({ locale: 'en-GB' })).newPage()
    await signIn(other, await server.staff('dispatcher'), '/dispatch?list=alerts')
    const theirs = other.getByRole('list', { name: 'Alerts' }).getByRole('listitem')
    await expect(theirs).toContainText('No driver')
    await page.getByRole('button', { name: `I see to it: ${booking.code}, No driver` }).press('Enter')
    await expect(row).toContainText('Somebody sees to it')
    await expect(theirs).toContainText('Somebody sees to it')
    await row.getByRole('button', { name: booking.code }).click()
    await expect(page.getByRole('heading', { level: 2 })).toContainText(booking.code)
    await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
    await expect(page.getByText('Nothing needs you.')).toBeVisible()
    await other.context().close()
  } finally {
    await context.close()
    await server.stop()
    server.remove()
  }
})

test('an alert of a job that has ended says which it was, and folds ask only when they are opened', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  const asked: string[] = []
  page.on('request', (r) => asked.push(new URL(r.url()).pathname))
  await page.route(/\/v1\/alerts/, (route) =>
    route.fulfill({ json: { items: [alertOf(booking.id)], next_cursor: null } }),
  )
  await signIn(page, await server.staff('dispatcher'), '/dispatch?list=alerts')
  const alerts = page.getByRole('list', { name: 'Alerts' })
  await alerts.getByRole('button', { name: booking.code, exact: true }).click()
  const detail = page.getByRole('region', { name: 'The job' })
  await expect(detail.getByRole('heading', { name: booking.code })).toBeVisible()
  const fold = detail.locator('summary').last()
  await expect(fold).toBeVisible()
  expect(asked.filter((path) => /timeline|dispatch$/.test(path) && path.startsWith('/v1'))).toEqual([])
  await fold.click()
  await expect(detail.locator('details').last().getByRole('listitem').first()).toBeVisible()
  expect(asked).toContain(`/v1/bookings/${booking.id}/timeline`)
})
const alertOf = (bookingId: string) => ({
  id: `alr_${bookingId.slice(4)}_unassigned`,
  version: 1,
  kind: 'unassigned',
  state: 'open',
  booking_id: bookingId,
  raised_at: new Date().toISOString(),
  driver_id: null,
  times: 1,
  stop: null,
  eta: null,
  promised: null,
  distance_m: null,
  seen_at: null,
  cleared_at: null,
  acknowledged_at: null,
  acknowledged_by: null,
  note: null,
})
