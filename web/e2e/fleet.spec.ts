/** The console's map of vehicles: what it draws, and finding one's way about it. */
import type { Page } from '@playwright/test'
import {
  accessible,
  expect,
  HERE,
  type Person,
  type Schemas,
  Server,
  signIn,
  test,
  withoutSockets,
} from './lorry.ts'

type Colour = [number, number, number]
const GOING: Colour = [0x17, 0x5c, 0xd3]
const GOOD: Colour = [0x18, 0x70, 0x3b]
const ACCENT: Colour = [0x0f, 0x76, 0x6e]
const FAINT: Colour = [140, 187, 182] // the accent over the ground of the map

/** What of COLOUR is in the picture of the map, around its middle: how much, how strong, and its own middle there. */
async function seen(page: Page, colour: Colour, reach = 40) {
  const box = await page.locator('.maplibregl-canvas').boundingBox()
  if (box === null) throw new Error('no map')
  const [x, y] = [box.x + box.width / 2 - reach, box.y + box.height / 2 - reach]
  const picture = await page.screenshot({ clip: { x, y, width: 2 * reach, height: 2 * reach } })
  return page.evaluate(
    async ([base64, wanted, middle]) => {
      const image = new Image()
      image.src = `data:image/png;base64,${base64}`
      await image.decode()
      const canvas = document.createElement('canvas')
      canvas.width = image.width
      canvas.height = image.height
      const c = canvas.getContext('2d') as CanvasRenderingContext2D
      c.drawImage(image, 0, 0)
      const { data } = c.getImageData(0, 0, image.width, image.height)
      let [count, sx, sy] = [0, 0, 0]
      for (let i = 0; i < data.length; i += 4) {
        const away = Math.hypot(...wanted.map((v, k) => v - (data[i + k] ?? 0)))
        if (away > 40) continue
        count++
        sx += (i / 4) % image.width
        sy += Math.floor(i / 4 / image.width)
      }
      return { count, x: sx / count - middle, y: sy / count - middle }
    },
    [picture.toString('base64'), colour, reach] as const,
  )
}
async function fix(driver: Person, at: { lat: number; lng: number }, more: object = {}, ago_ms = 0) {
  const time = new Date(Date.now() - ago_ms).toISOString()
  await driver.call('POST', '/v1/driver/locations', { fixes: [{ at: time, ...at, ...more }] })
}
const idOf = async (driver: Person) => (await driver.call<{ id: string }>('GET', '/v1/driver')).id

/** The map with PLACE in its middle, and nobody chosen. */
async function lookAt(page: Page, driver: Person): Promise<void> {
  await page.goto(`${driver.server.url}/dispatch?vehicle=${await idOf(driver)}`)
  await expect.poll(async () => (await seen(page, ACCENT)).count, { timeout: 30_000 }).toBeGreaterThan(20)
}
async function off(...drivers: Person[]): Promise<void> {
  for (const driver of drivers) await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
}

test('a vehicle shows where it heads, what it does by its shape, and fades when nothing is heard', async ({
  page,
  server,
}) => {
  const driver = await server.driver(HERE, 'van', 'Ola Berg')
  await fix(driver, HERE, { bearing_deg: 0 })
  await signIn(page, await server.staff('dispatcher'))
  await lookAt(page, driver)
  // The weight of an arrow is at its foot: it is seen which way it looks.
  const northward = (await seen(page, ACCENT)).y
  await fix(driver, HERE, { bearing_deg: 180 })
  await expect.poll(async () => (await seen(page, ACCENT)).y).toBeLessThan(northward - 1)

  // Free: a ring in green. Busy: a full arrow in blue.
  await page.keyboard.press('Escape')
  await expect.poll(async () => (await seen(page, GOOD)).count).toBeGreaterThan(20)
  expect((await seen(page, GOING)).count).toBe(0)
  const middle = async (colour: Colour) => (await seen(page, colour, 3)).count
  expect(await middle(GOOD)).toBeLessThan(8) // it is hollow
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await server.accept(driver)
  await expect.poll(async () => (await seen(page, GOING)).count).toBeGreaterThan(20)
  expect(await middle(GOING)).toBeGreaterThan(15)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await expect.poll(async () => (await seen(page, GOOD)).count).toBeGreaterThan(20)

  // Somebody who has not been heard of for a while: faint, and the list says since when.
  await page.getByRole('button', { name: 'Vehicles' }).click()
  const row = page.getByRole('button', { name: /Ola Berg/ })
  await expect(row).toContainText('free')
  await expect(row).not.toContainText('Position from')
  const fleet = /\/v1\/fleet/
  const proxy = await withoutSockets(server) // what a socket says would be news
  await page.route(fleet, async (route) => {
    const answer = await (await route.fetch()).json()
    const long = new Date(Date.now() - 90_000).toISOString()
    await route.fulfill({ json: { ...answer, items: answer.items.map((v: object) => ({ ...v, at: long })) } })
  })
  const here = `/dispatch?list=vehicles&vehicle=${await idOf(driver)}`
  await signIn(page, await server.staff('dispatcher'), here, proxy.url)
  await expect(row).toContainText('Position from', { timeout: 30_000 })
  await expect.poll(async () => (await seen(page, FAINT)).count).toBeGreaterThan(20)
  expect((await seen(page, ACCENT)).count).toBe(0)
  await accessible(page)
  proxy.close()
  await off(driver)
})

test('between two fixes a vehicle glides', async ({ page, server }) => {
  const driver = await server.driver(HERE, 'van', 'Kim Ek')
  await signIn(page, await server.staff('dispatcher'))
  await lookAt(page, driver)
  const east = (metres: number) => ({ lat: HERE.lat, lng: HERE.lng + metres / 59_400 })
  await fix(driver, east(1))
  await page.waitForTimeout(3_000)
  await fix(driver, east(120))
  const places: number[] = []
  for (let n = 0; n < 25; n++) {
    const { count, x } = await seen(page, ACCENT, 60)
    if (count > 20) places.push(Math.round(x))
  }
  const between = new Set(places.filter((x) => x > 3 && x < Math.max(...places) - 1))
  expect(Math.max(...places)).toBeGreaterThan(8)
  expect(between.size, places.join()).toBeGreaterThan(1)
  await off(driver)
})

test('many vehicles on one spot are a number; a click opens it, and everything can be shown', async ({
  page,
  server,
}) => {
  const drivers = await Promise.all(
    [0, 1, 2, 3, 4, 5].map((n) =>
      server.driver({ lat: HERE.lat + n * 0.002, lng: HERE.lng + (n % 2) * 0.002 }, 'van', `Driver ${n}`),
    ),
  )
  await signIn(page, await server.staff('dispatcher'))
  await page.goto(`${server.url}/dispatch?list=vehicles`)
  await expect(page.getByRole('list', { name: 'Vehicles' }).getByRole('listitem')).toHaveCount(6)
  await accessible(page)
  await page.getByRole('button', { name: 'Show everything' }).click()
  await expect.poll(async () => (await seen(page, GOOD, 200)).count, { timeout: 20_000 }).toBeGreaterThan(100)
  const map = page.locator('.maplibregl-canvas')
  await map.hover()
  for (let n = 0; n < 12; n++) await page.mouse.wheel(0, 400)
  await expect.poll(async () => (await seen(page, GOOD, 200)).count, { timeout: 20_000 }).toBe(0)
  await expect.poll(async () => (await seen(page, GOING, 200)).count).toBeGreaterThan(20)
  const { x, y } = await seen(page, GOING, 200)
  const box = await map.boundingBox()
  if (box === null) throw new Error('no map')
  await page.mouse.click(box.x + box.width / 2 + x, box.y + box.height / 2 + y)
  await expect.poll(async () => (await seen(page, GOOD, 200)).count, { timeout: 20_000 }).toBeGreaterThan(100)
  await off(...drivers)
})

/** The way of a quarter of an hour, as a device that was without a network sends it. */
async function wayOf(server: Server, driver: Person): Promise<void> {
  const fixes = Array.from({ length: 90 }, (_, n) => ({
    at: new Date(Date.now() - (90 - n) * 10_000).toISOString(),
    lat: HERE.lat + n * 0.0001,
    lng: HERE.lng,
  }))
  await driver.call('POST', '/v1/driver/locations', { fixes })
  await server.move(driver, { lat: HERE.lat + 0.009, lng: HERE.lng })
}

test('the trail of nobody, of the chosen, of all; and a stretch of time played back with the keyboard', async ({
  page,
  server,
}) => {
  const driver = await server.driver(HERE, 'van', 'Ola Berg')
  await wayOf(server, driver)
  await signIn(page, await server.staff('dispatcher'))
  await lookAt(page, driver)
  await expect.poll(async () => (await seen(page, GOING, 100)).count, { timeout: 20_000 }).toBeGreaterThan(50)
  await page.getByLabel('Trails').selectOption('none')
  await expect(page).toHaveURL(/trails=none/)
  await expect.poll(async () => (await seen(page, GOING, 100)).count).toBe(0)
  await page.getByLabel('Trails').selectOption('all')
  await expect.poll(async () => (await seen(page, GOING, 100)).count, { timeout: 20_000 }).toBeGreaterThan(50)
  await page.getByLabel('Trails').selectOption('none')

  await page.getByRole('button', { name: 'Play back' }).click()
  const slider = page.getByRole('slider', { name: 'Time' })
  await slider.focus()
  await page.keyboard.press('Home')
  await expect(page.getByText('Nothing heard')).toBeVisible()
  await page.keyboard.press('End')
  await expect(slider).toHaveAttribute('aria-valuetext', /\d\d:\d\d/)
  const whole = async () => (await seen(page, ACCENT, 100)).count
  await expect.poll(whole).toBeGreaterThan(100)
  const all = await whole()
  for (let n = 0; n < 60; n++) await page.keyboard.press('ArrowLeft')
  await expect.poll(whole).toBeLessThan(all)
  await page.getByRole('button', { name: 'Play', exact: true }).click()
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: 'Last 4 hours' }).click()
  await expect(page).toHaveURL(/replay=4/)
  await off(driver)
})

test('Ctrl+K finds a job, a vehicle and what can be done', async ({ page, server }) => {
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  const driver = await server.driver({ lat: HERE.lat + 0.4, lng: HERE.lng }, 'van', 'Ylva Lund')
  await signIn(page, await server.staff('dispatcher'))
  await expect(page.getByRole('option', { name: new RegExp(booking.code) })).toBeVisible()
  await page.getByLabel('Search code').focus()
  await page.keyboard.press('Control+k')
  const find = page.getByRole('combobox', { name: 'Find anything' })
  await expect(find).toBeFocused()
  await find.fill(booking.code)
  await accessible(page)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 2 })).toContainText(booking.code)

  await page.keyboard.press('Control+k')
  await find.fill('no such thing')
  await expect(page.getByText('Nothing is called so.')).toBeVisible()
  await find.fill('unassigned')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/view=unassigned/)
  await page.keyboard.press('Control+k')
  await page.keyboard.press('Escape')
  await expect(find).toHaveCount(0)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await off(driver)
})

test('a job is dragged from the list onto a vehicle on the map; let go beside it, nothing happens', async ({
  page,
}) => {
  const own = new Server(['--search-radius-m', '200', '--search-radius-max-m', '200']) // nobody is asked by himself
  await own.start()
  const customer = await own.register('customer')
  const kim = await own.driver({ lat: HERE.lat + 0.0025, lng: HERE.lng }, 'van', 'Kim Ek')
  const booking = await own.book(customer)
  const now = () => customer.call<Schemas['Booking']>('GET', `/v1/bookings/${booking.id}`)
  await signIn(page, await own.staff('dispatcher'), `/dispatch?vehicle=${await idOf(kim)}`)
  await expect.poll(async () => (await seen(page, ACCENT)).count, { timeout: 30_000 }).toBeGreaterThan(20)
  const row = page.getByRole('option', { name: new RegExp(booking.code) })
  await row.click() // the map goes to its pickup; he is near it, farther than dispatch looks
  await page.waitForTimeout(1_500)
  const found = await seen(page, GOOD, 200)
  expect(found.count).toBeGreaterThan(20)
  const map = page.locator('.maplibregl-canvas')
  const box = await map.boundingBox()
  if (box === null) throw new Error('no map')
  const at = { x: box.width / 2 + found.x, y: box.height / 2 + found.y }
  await row.dragTo(map, { targetPosition: { x: at.x, y: at.y + 80 } })
  await page.waitForTimeout(1_000)
  expect((await now()).driver).toBeNull()
  await row.dragTo(map, { targetPosition: at })
  await expect(page.getByText('Given to Kim Ek')).toBeVisible()
  await expect(row).toContainText('Kim Ek')
  expect((await now()).driver?.name).toContain('Kim')
  await own.stop()
  own.remove()
})
