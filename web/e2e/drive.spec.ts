import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from '@playwright/test'
import {
  accessible,
  test as base,
  expect,
  HERE,
  ownServer,
  type Person,
  type Schemas,
  Server,
  signIn,
  WEB,
} from './lorry.ts'

/** Servers of their own: where an offer lapses soon, where drivers are approved by hand, and with a copy of the web app in
 * a folder that a test may change. */
const test = base.extend<{ lapsing: Server; manual: Server; versions: [Server, string] }>({
  lapsing: ownServer(['--offer-timeout-s', '6'], false),
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
  versions: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'lorry-web-'))
    cpSync(WEB, folder, { recursive: true })
    for (const packed of ['sw.js.br', 'sw.js.gz']) rmSync(join(folder, packed), { force: true })
    const server = new Server(['--web', folder], false)
    await server.start()
    await use([server, folder])
    await server.stop()
    server.remove()
    rmSync(folder, { recursive: true })
  },
  manual: ownServer(['--driver-approval', 'manual'], false),
})

test.use({
  viewport: { width: 390, height: 800 },
  permissions: ['geolocation'],
  geolocation: { latitude: HERE.lat, longitude: HERE.lng, accuracy: 8 },
})

const VEHICLE = { vehicle: { class: 'van', plate: 'ABC123', capacity_kg: 800 } }
const heading = (page: Page) => page.getByRole('heading', { level: 1 })
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
const position = (driver: Person) =>
  driver.call<Schemas['Driver']>('GET', '/v1/driver').then((d) => d.position)

/** Signed in, with a vehicle, on duty, his position known to the server. */
async function onDuty(page: Page, server: Server, name = 'Ola Berg'): Promise<Person> {
  const driver = await server.register('driver', name)
  await driver.call('PUT', '/v1/driver', VEHICLE)
  await signIn(page, driver)
  await button(page, 'Go on duty').click()
  await expect(heading(page)).toContainText('On duty')
  await expect.poll(() => position(driver)).not.toBeNull()
  return driver
}
/** Nobody else's offers may come to this driver. */
async function offDuty(driver: Person): Promise<void> {
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
}
/** The steps that the server has of a booking, in its order. */
async function steps(customer: Person, id: string): Promise<string[]> {
  const path = `/v1/bookings/${id}/timeline`
  const { items } = await customer.call<{ items: { type: string; data: { state: string } }[] }>('GET', path)
  return items
    .filter((e) => /progressed|delivered|failed/.test(e.type))
    .map((e) => (e.type === 'booking.progressed' ? e.data.state : e.type.replace('booking.', '')))
}
/** How much of what was seen last is kept in the browser. */
async function keptOnDevice(): Promise<number> {
  const opened = indexedDB.open('lorry.drive')
  await new Promise((done) => {
    opened.onsuccess = done
  })
  const count = opened.result.transaction('last').objectStore('last').count()
  await new Promise((done) => {
    count.onsuccess = done
  })
  opened.result.close()
  return count.result
}
const WHOLE = ['arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered']
/** A job that this driver has taken by the API. */
async function job(
  server: Server,
  driver: Person,
  contact?: Schemas['Contact'],
): Promise<[Person, Schemas['Booking']]> {
  const customer = await server.register('customer')
  await server.book(customer, contact)
  return [customer, await server.accept(driver)] // so that the sheet, if it shows, goes by itself
}
async function wanders(context: BrowserContext, steps: number): Promise<void> {
  for (let n = 1; n <= steps; n++) {
    await context.setGeolocation({ latitude: HERE.lat - n * 0.0005, longitude: HERE.lng, accuracy: 8 })
    await new Promise((r) => setTimeout(r, 60))
  }
}
/** 320 px wide nothing is cut off, and all can be hit with a thumb (48 px). */
async function narrow(page: Page): Promise<void> {
  const before = page.viewportSize()
  await page.setViewportSize({ width: 320, height: 640 })
  const wide = () =>
    page.evaluate(() =>
      [document.documentElement, document.querySelector('main') as Element].some(
        (e) => e.scrollWidth > e.clientWidth,
      ),
    )
  expect(await wide()).toBe(false)
  const small = await page
    .locator(
      'header nav a, main :is(button, a, summary, input:not([type=radio]), label:has(input)), [role=alertdialog] button',
    )
    .evaluateAll((all) =>
      all
        .filter((e) => !e.closest('.maplibregl-map') && e.checkVisibility() && e.clientHeight < 46) // and a border
        .map((e) => e.outerHTML),
    )
  expect(small).toEqual([])
  if (before) await page.setViewportSize(before)
}

test('from the first sign-in to a delivered job, with the keyboard', async ({ page, server }) => {
  const driver = await server.register('driver')
  const customer = await server.register('customer')
  await signIn(page, driver)
  await expect(heading(page)).toHaveText('What do you drive?')
  await accessible(page)
  await narrow(page)
  await page.getByLabel('Number plate').fill('ABC 123')
  await page.keyboard.press('Enter')
  await expect(heading(page)).toContainText('Off duty')
  await expect(page.getByText('Your position is not used')).toBeVisible()
  expect(await position(driver)).toBeNull() // none is taken before duty
  await accessible(page)

  await button(page, 'Go on duty').press('Enter')
  await expect(heading(page)).toContainText('On duty')
  await expect(page.getByText(/Position good, within 10 m/)).toBeVisible()
  await expect.poll(() => position(driver)).not.toBeNull()
  await accessible(page)

  const booking = await server.book(customer)
  const sheet = page.getByRole('alertdialog', { name: 'New job' })
  await expect(sheet).toContainText(/Pickup \d+ m away/)
  await expect(sheet.getByRole('timer')).toHaveText(/0:\d\d/)
  await expect(sheet).toContainText(/SEK|kr/)
  await accessible(page)
  await narrow(page)
  await page.keyboard.press('Enter') // what was on its way to the page answers nothing
  await page.keyboard.press('Escape')
  await expect(sheet).toBeVisible()
  const accept = sheet.getByRole('button', { name: 'Slide to accept' })
  await accept.press('Enter')
  await page.waitForTimeout(450)
  await sheet.getByRole('button', { name: 'Press again to accept' }).press('Enter')

  await expect(heading(page)).toContainText('Drive to the pickup')
  await expect(page.getByRole('link', { name: 'Navigate' })).toHaveAttribute('href', /57\.7089/)
  await accessible(page)
  await narrow(page)
  await button(page, 'I am at the pickup').press('Enter')
  await expect(heading(page)).toContainText('At the pickup')
  await page.waitForTimeout(850)
  await button(page, 'The goods are loaded').press('Enter')
  await expect(heading(page)).toContainText('Drive to the drop-off')
  await page.waitForTimeout(850)
  await button(page, 'I am at the drop-off').press('Enter')
  await page.waitForTimeout(850)
  await button(page, 'The goods are handed over').press('Enter')
  await expect(page.getByText(`Job ${booking.code} is delivered`)).toBeVisible()
  await expect(heading(page)).toContainText('On duty')
  expect(await steps(customer, booking.id)).toEqual(WHOLE)

  await page.getByRole('link', { name: 'Earnings' }).click()
  await expect(page.getByText('1 job in the last 30 days')).toBeVisible()
  await button(page, /1 job ·/).click()
  await expect(page.getByText('Drottningtorget → Korsvägen')).toBeVisible()
  await accessible(page)
  await narrow(page)
  await page.getByRole('link', { name: 'Jobs' }).click()
  await expect(heading(page)).not.toContainText('Earnings') // the page before lists its code, too
  await expect(page.getByRole('listitem').filter({ hasText: booking.code })).toContainText('Delivered')
  await accessible(page)
  await page.getByRole('link', { name: 'Drive' }).click()
  await button(page, 'Go off duty').click()
  await expect(heading(page)).toContainText('Off duty')
  expect((await driver.call<Schemas['Driver']>('GET', '/v1/driver')).duty).toBe('off')
})

test('an offer: no accident takes it, sliding does; it can be declined, and it lapses', async ({
  page,
  lapsing: server,
}) => {
  await page.addInitScript(() => {
    const counts = { notes: 0, shakes: 0 }
    Object.assign(window, { counts })
    const make = AudioContext.prototype.createOscillator
    AudioContext.prototype.createOscillator = function () {
      counts.notes++
      return make.call(this)
    }
    navigator.vibrate = () => ++counts.shakes > 0
  })
  const driver = await onDuty(page, server)
  const customer = await server.register('customer')
  const first = await server.book(customer)
  const sheet = page.getByRole('alertdialog', { name: 'New job' })
  await expect(sheet).toBeVisible()
  expect(await page.evaluate(() => (window as unknown as { counts: unknown }).counts)).toEqual({
    notes: 4,
    shakes: 1,
  })
  await sheet.getByRole('button', { name: 'Slide to accept' }).dblclick()
  await expect(sheet.getByRole('button', { name: 'Press again to accept' })).toBeVisible() // one press
  await expect(sheet).toHaveCount(0) // it lapses
  await expect(page.getByText('The offer has run out')).toBeVisible()
  await accessible(page)
  await customer.call('POST', `/v1/bookings/${first.id}/cancel`, {})

  const second = await server.book(customer)
  await sheet.getByRole('button', { name: 'Decline' }).click()
  await expect(sheet).toHaveCount(0)
  await expect
    .poll(async () => (await driver.call<Schemas['Driver']>('GET', '/v1/driver')).counters.declined)
    .toBe(1)
  await customer.call('POST', `/v1/bookings/${second.id}/cancel`, {})

  await server.book(customer)
  const slider = sheet.getByRole('button', { name: 'Slide to accept' })
  const box = await slider.boundingBox()
  if (box === null) throw new Error('no slider')
  expect(box.height).toBeGreaterThanOrEqual(48)
  const y = box.y + box.height / 2
  await page.mouse.move(box.x + 20, y)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width / 2, y, { steps: 3 })
  await page.mouse.up() // half the way is no yes
  await expect(slider).toBeVisible()
  await page.mouse.move(box.x + 20, y)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width - 5, y, { steps: 5 })
  await page.mouse.up()
  await expect(heading(page)).toContainText('Drive to the pickup')
  const { items } = await driver.call<{ items: Schemas['Booking'][] }>('GET', '/v1/bookings?state=active')
  await customer.call('POST', `/v1/bookings/${items[0]?.id}/cancel`, {})
  await expect(page.getByText(`Job ${items[0]?.code} was cancelled`)).toBeVisible()

  // Taken on another device of his: the sheet goes, and nothing says that it was lost.
  await server.book(customer)
  await expect(sheet).toBeVisible()
  await server.accept(driver)
  await expect(sheet).toHaveCount(0)
  await expect(heading(page)).toContainText('Drive to the pickup')
  await expect(page.getByText('The offer has run out')).toHaveCount(0)
})

test('a position that may not be seen, or is weak: it says so, and how to put it right', async ({
  page,
  server,
  context,
}) => {
  await context.clearPermissions()
  const driver = await server.register('driver')
  await driver.call('PUT', '/v1/driver', VEHICLE)
  await signIn(page, driver)
  await button(page, 'Go on duty').click()
  await expect(page.getByRole('alert')).toContainText('This page may not see your position')
  await expect(page.getByRole('alert')).toContainText('allow Location')
  await accessible(page)
  await context.setGeolocation({ latitude: HERE.lat, longitude: HERE.lng, accuracy: 900 })
  await context.grantPermissions(['geolocation'])
  // By itself, and at once: the next look for a position that was not found is 15 s after the last.
  await expect(page.getByText('Position weak, within 900 m')).toBeVisible({ timeout: 8_000 })
  await accessible(page)
  await offDuty(driver)
})

test('a dead zone: steps and positions are kept, and sent once and in order, though the page was closed', async ({
  page,
  server,
  context,
}) => {
  const driver = await onDuty(page, server)
  const [customer, booking] = await job(server, driver)
  await expect(heading(page)).toContainText('Drive to the pickup')
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  const before = Date.now()
  await context.setOffline(true)
  await button(page, 'I am at the pickup').dblclick() // is one step
  await expect(heading(page)).toContainText('At the pickup')
  await expect(heading(page)).toContainText('Not confirmed yet')
  await wanders(context, 30)
  await page.waitForTimeout(850)
  await button(page, 'The goods are loaded').click()
  await expect(page.getByText(/^◌ 2 steps are kept here/)).toBeVisible()
  await expect(page.getByText(/\d\d positions wait/)).toBeVisible()
  expect(await steps(customer, booking.id)).toEqual([])

  // The app is closed and started again, still without a network: it shows what was, as old, and goes on.
  await page.close()
  const again = await context.newPage()
  const answered: string[] = [] // the keys of what has reached the server
  again.on('response', (response) => {
    if (response.url().endsWith('/status'))
      answered.push(response.request().headers()['idempotency-key'] ?? '')
  })
  await again.goto(`${server.url}/drive`)
  await expect(heading(again)).toContainText('Drive to the drop-off')
  await expect(again.getByText(/The server cannot be reached\. This is from/)).toBeVisible()
  await expect(again.getByText(/^◌ 2 steps are kept here/)).toBeVisible()
  await expect(again.getByText('Updates every few seconds')).toHaveCount(0)
  await accessible(again)
  await button(again, 'I am at the drop-off').click()
  await expect(again.getByText(/^◌ 3 steps are kept here/)).toBeVisible()

  await context.setOffline(false)
  await expect(again.getByText(/steps? (is|are) kept here/)).toHaveCount(0)
  expect(await steps(customer, booking.id)).toEqual(WHOLE.slice(0, 3))
  expect(answered).toHaveLength(3)
  expect(new Set(answered).size).toBe(3)
  const from = new Date(before).toISOString()
  const trail = () => driver.call<Schemas['Driver']>('GET', '/v1/driver').then((d) => d.position?.lat ?? 0)
  await expect.poll(trail).toBeLessThan(HERE.lat - 0.01)
  const staff = await server.staff('dispatcher')
  const { id } = await driver.call<Schemas['Driver']>('GET', '/v1/driver')
  const { fixes } = await staff.call<{ fixes: { at: string }[] }>(
    'GET',
    `/v1/drivers/${id}/trail?from=${from}&to=${new Date().toISOString()}`,
  )
  expect(fixes.length).toBeGreaterThan(20)
  await again.waitForTimeout(850)
  await button(again, 'The goods are handed over').click()
  await expect(again.getByText(`Job ${booking.code} is delivered`)).toBeVisible()
  expect(await steps(customer, booking.id)).toEqual(WHOLE)
  await offDuty(driver)
})

test('what was done without a network is refused: it says so, and what the booking is now', async ({
  page,
  server,
  context,
}) => {
  const driver = await onDuty(page, server)
  const [customer, booking] = await job(server, driver)
  await expect(heading(page)).toContainText('Drive to the pickup')
  await context.setOffline(true)
  await button(page, 'I am at the pickup').click()
  await page.waitForTimeout(850)
  await button(page, 'The goods are loaded').click()
  await expect(page.getByText(/^◌ 2 steps are kept here/)).toBeVisible()
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await context.setOffline(false)
  await expect(page.getByRole('alert')).toContainText(`Job ${booking.code}: “at the pickup” was not taken`)
  await expect(page.getByRole('alert')).toContainText('The job is now: Cancelled')
  await accessible(page)
  await page.getByRole('alert').getByRole('button', { name: 'OK' }).click()
  await expect(page.getByRole('alert')).toHaveCount(0)
  await expect(heading(page)).toContainText('On duty')
  await offDuty(driver)
})

test('it cannot be done: whoever is there can be reached, the reason is asked, and told', async ({
  page,
  server,
}) => {
  const driver = await onDuty(page, server)
  const [customer, booking] = await job(server, driver, { name: 'Bo Ek', phone: '+46709876543' })
  await expect(page.getByRole('link', { name: 'Call Bo Ek' })).toHaveAttribute('href', 'tel:+46709876543')
  await expect(page.getByRole('link', { name: 'Message Bo Ek' })).toHaveAttribute('href', 'sms:+46709876543')
  await button(page, 'I am at the pickup').click()
  await button(page, 'It cannot be done').click()
  await expect(button(page, 'End the job')).toBeDisabled()
  await page.getByLabel('Nobody is here').check()
  await page.getByLabel('In your words').fill('rang twice')
  await accessible(page)
  await button(page, 'End the job').click()
  await expect(heading(page)).toContainText('On duty')
  const failed = await customer.call<Schemas['Booking']>('GET', `/v1/bookings/${booking.id}`)
  expect([failed.state, failed.reason]).toEqual(['failed', 'Nobody is here: rang twice'])
  await offDuty(driver)
})

test('the screen stays on during a job, the night is dark, and the choice of a theme is kept', async ({
  page,
  server,
  context,
}) => {
  await page.addInitScript(() => {
    const locks = { held: 0 }
    Object.assign(window, { locks })
    Object.defineProperty(navigator, 'wakeLock', {
      value: {
        request: async () => {
          locks.held++
          return { release: async () => void locks.held-- }
        },
      },
    })
  })
  const held = () => page.evaluate(() => (window as unknown as { locks: { held: number } }).locks.held)
  const driver = await onDuty(page, server)
  expect(await held()).toBe(0)
  const [customer, booking] = await job(server, driver)
  await expect(heading(page)).toContainText('Drive to the pickup')
  expect(await held()).toBe(1)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await expect(heading(page)).toContainText('On duty')
  await expect.poll(held).toBe(0)

  // Where it is noon on the equator now, and where it is midnight.
  const now = new Date()
  const noon = (12 - now.getUTCHours() - now.getUTCMinutes() / 60) * 15
  const html = page.locator('html')
  await context.setGeolocation({ latitude: 0, longitude: noon, accuracy: 8 })
  await expect(html).toHaveAttribute('data-theme', 'light')
  await context.setGeolocation({ latitude: 0, longitude: noon > 0 ? noon - 180 : noon + 180, accuracy: 8 })
  await expect(html).toHaveAttribute('data-theme', 'dark')
  await expect(page.getByText(/Position good/)).toBeVisible()
  await accessible(page)
  await button(page, 'Account and settings').click()
  await page.getByRole('menuitemradio', { name: 'Light' }).click()
  await expect(html).toHaveAttribute('data-theme', 'light')
  await offDuty(driver)
})

test('a new version is offered between jobs, not during one', async ({
  page,
  versions: [server, folder],
}) => {
  const driver = await onDuty(page, server)
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  await page.reload() // from now on the worker answers for this page
  const [customer, booking] = await job(server, driver)
  await expect(heading(page)).toContainText('Drive to the pickup')

  const listen = server.url.replace('http://', '')
  await server.stop()
  appendFileSync(join(folder, 'sw.js'), '// newer')
  await server.start(listen)
  await page.evaluate(async () => {
    const worker = await navigator.serviceWorker.ready
    await worker.update()
    while (worker.waiting === null) await new Promise((r) => setTimeout(r, 50))
  })
  await expect(page.getByRole('status').filter({ hasText: 'Reconnecting' })).toHaveCount(0)
  await expect(page.getByText('There is a new version')).toHaveCount(0)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await expect(page.getByText('There is a new version')).toBeVisible()
  await accessible(page)
  await Promise.all([page.waitForEvent('load'), button(page, 'Start it now').click()])
  await expect(heading(page)).toContainText('On duty')
  await expect(page.getByText('There is a new version')).toHaveCount(0)
})

test('not approved yet, then suspended: it says so, and what to do', async ({ page, manual: server }) => {
  const driver = await server.register('driver')
  await signIn(page, driver)
  await page.getByLabel('Number plate').fill('ABC123')
  await button(page, 'Save the vehicle').click()
  await expect(heading(page)).toContainText('Waiting for approval')
  await expect(button(page, 'Go on duty')).toHaveCount(0)
  await accessible(page)
  const admin = await server.staff('admin')
  const { id } = await driver.call<Schemas['Driver']>('GET', '/v1/driver')
  await admin.call('PATCH', `/v1/drivers/${id}`, { status: 'approved' })
  await page.reload()
  await expect(button(page, 'Go on duty')).toBeVisible()
  await admin.call('PATCH', `/v1/drivers/${id}`, { status: 'suspended', reason: 'The insurance has ended.' })
  await page.reload()
  await expect(heading(page)).toContainText('You are suspended')
  await expect(page.getByText('The insurance has ended.')).toBeVisible()
  await accessible(page)

  // Another driver on the same phone sees nothing of this one.
  await button(page, 'Account and settings').click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL('**/sign-in')
  await expect.poll(() => page.evaluate(keptOnDevice)).toBe(0)
  await signIn(page, await server.register('driver'))
  await expect(heading(page)).toHaveText('What do you drive?')
})
