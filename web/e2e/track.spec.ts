import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Page } from '@playwright/test'
import { accessible, expect, HERE, type Person, type Schemas, Server, THERE, test } from './lorry.ts'

test.use({ viewport: { width: 320, height: 640 } })

/** Is the vehicle on the map? Nothing else there has its blue. */
async function vehicleShows(page: Page): Promise<boolean> {
  const picture = await page.locator('.maplibregl-canvas').screenshot()
  return page.evaluate(async (base64) => {
    const image = new Image()
    image.src = `data:image/png;base64,${base64}`
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = image.width
    canvas.height = image.height
    const c = canvas.getContext('2d') as CanvasRenderingContext2D
    c.drawImage(image, 0, 0)
    const { data } = c.getImageData(0, 0, image.width, image.height)
    let count = 0
    for (let i = 0; i < data.length; i += 4)
      if (Math.hypot((data[i] ?? 0) - 0x17, (data[i + 1] ?? 0) - 0x5c, (data[i + 2] ?? 0) - 0xd3) < 40)
        count++
    return count > 20
  }, picture.toString('base64'))
}

/** He tells where he is until WINDOW is known. */
async function onHisWay(driver: Person, window: () => Promise<string | undefined>): Promise<void> {
  await expect
    .poll(
      async () => {
        await driver.server.move(driver, { lat: HERE.lat - 0.002, lng: HERE.lng })
        return window()
      },
      { timeout: 40_000, intervals: [1_000] },
    )
    .toBeDefined()
}

/** Three stops, the last of which asks for a PIN; the token is of the link to that one. */
async function withPin(customer: Person): Promise<[Schemas['Booking'], string]> {
  const stops = [
    { ...HERE, address: 'Drottningtorget' },
    { lat: 57.703, lng: 11.98, address: 'Avenyn' },
    { ...THERE, address: 'Korsvägen' },
  ]
  const { quotes } = await customer.call<Schemas['Quotes']>('POST', '/v1/quotes', { vehicle: 'van', stops })
  const booking = await customer.call<Schemas['Booking']>('POST', '/v1/bookings', {
    quote_id: quotes[0]?.id,
    stops: [{}, {}, { proof: ['pin'] }],
  })
  const path = `/v1/bookings/${booking.id}/pins`
  const pins = await customer.call<{ items: { tracking_token: string }[] }>('GET', path)
  return [booking, pins.items[0]?.tracking_token ?? '']
}

test('the link of a stop: stops before it are counted, the vehicle shows on its way there, and why it failed', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer')
  const [booking, token] = await withPin(customer)
  const driver = await server.driver(HERE)
  await server.accept(driver)
  const step = (status: string, stop: number, reason?: string) =>
    driver.call('POST', `/v1/bookings/${booking.id}/status`, { status, stop, reason })
  const tracked = async () =>
    (await (await fetch(`${server.url}/v1/track/${token}`)).json()) as Schemas['Tracking']

  await onHisWay(driver, async () => (await tracked()).stops[2]?.eta_to)
  await page.goto(`${server.url}/track/${token}`)
  await expect(page.getByText('2 stops before yours')).toBeVisible()
  // The window of this stop, as the server has it: not one that the page has made around a time.
  const clock = (at = '') =>
    new Date(at).toLocaleTimeString('en-GB', {
      hour: '2-digit',
      minute: '2-digit',
      timeZone: 'Europe/Stockholm',
    })
  await expect
    .poll(async () => {
      const { eta_from, eta_to } = (await tracked()).stops[2] ?? {}
      return page.getByText(`Arrives between ${clock(eta_from)} and ${clock(eta_to)}`).isVisible()
    })
    .toBe(true)
  expect((await tracked()).position).toBeNull() // he is on his way to others
  await accessible(page)

  await step('arrived_pickup', 0)
  await step('picked_up', 0)
  await expect(page.getByText('1 stop before yours')).toBeVisible()
  expect(await vehicleShows(page)).toBe(false)
  await step('arrived_dropoff', 1)
  await step('delivered', 1)
  await server.move(driver, { lat: HERE.lat - 0.002, lng: HERE.lng })
  await expect(page.getByText('Yours is the next stop.')).toBeVisible()
  await expect.poll(() => vehicleShows(page)).toBe(true)
  await step('arrived_dropoff', 2)
  await expect.poll(() => vehicleShows(page)).toBe(false)
  await step('failed', 2, 'Nobody is here: I rang twice')
  await expect(page.getByText('Reason: Nobody is here: I rang twice')).toBeVisible()
  await expect(page.getByText(/before yours|next stop|Arrives/)).toHaveCount(0)
  expect(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)).toBe(false)
  await accessible(page)
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('a tracking link keeps to itself, and shows the driver only while he is on the way', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  const opened = await page.goto(`${server.url}/track/${booking.tracking_token}`)
  expect(opened?.headers()).toMatchObject({
    'referrer-policy': 'no-referrer',
    'x-robots-tag': expect.stringContaining('noindex'),
  })
  expect(booking.tracking_token?.length).toBeGreaterThanOrEqual(22) // 128 bits
  const who = page.getByText(/^Ola, Van/)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Looking for a driver')
  await expect(who).toHaveCount(0)

  const driver = await server.driver(HERE)
  await server.accept(driver)
  const tracked = async () =>
    (await (await fetch(`${server.url}/v1/track/${booking.tracking_token}`)).json()) as Schemas['Tracking']
  await onHisWay(driver, async () => (await tracked()).eta_to) // from here on it is known when he comes
  await expect(who).toBeVisible()
  await expect(page.getByText(/^Arrives between \d\d:\d\d and \d\d:\d\d$/)).toBeVisible()
  await expect.poll(() => vehicleShows(page)).toBe(true)
  await expect(page.getByText('+46')).toHaveCount(0) // nobody's number
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
  expect(await wide()).toBe(false)
  await page.emulateMedia({ colorScheme: 'dark' })
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
  await accessible(page)

  for (const status of ['arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered'])
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Delivered')
  await expect(page.getByText(/^Arrives between/)).toHaveCount(0)
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('rating without an account: once delivered, whoever has the link says how it was, once', async ({
  page,
  server,
  browser,
}) => {
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  const driver = await server.driver(HERE)
  await server.accept(driver)
  await page.goto(`${server.url}/track/${booking.tracking_token}`)
  await expect(page.getByText(/^Ola, Van/)).toBeVisible()
  await expect(page.getByText('How was it?')).toHaveCount(0) // not before it is there
  for (const status of ['arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered'])
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
  await expect(page.getByText('How was it?')).toBeVisible()
  const other = await browser.newPage()
  await other.goto(page.url())
  await expect(other.getByText('How was it?')).toBeVisible()

  await page.getByRole('radio', { name: '4 stars' }).focus()
  await page.keyboard.press('Space')
  await page.getByLabel('Say more').fill('Left at the blue door')
  await accessible(page)
  await page.getByRole('button', { name: 'Send the rating' }).press('Enter')
  await expect(page.getByRole('img', { name: '4 stars' })).toBeVisible()
  await expect(page.getByText('How was it?')).toHaveCount(0)
  await accessible(page)
  const now = await customer.call<Schemas['Booking']>('GET', `/v1/bookings/${booking.id}`)
  expect(now.rating).toEqual({ stars: 4, comment: 'Left at the blue door' })

  // Whoever comes second sees what was said first; the words are not for everybody with the link.
  await other.getByRole('radio', { name: '1 star' }).check({ force: true })
  await other.getByRole('button', { name: 'Send the rating' }).click()
  await expect(other.getByRole('img', { name: '4 stars' })).toBeVisible()
  await expect(other.getByText('blue door')).toHaveCount(0)
  await other.reload()
  await expect(other.getByRole('img', { name: '4 stars' })).toBeVisible()
  await other.close()
  expect(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)).toBe(false)
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('a tracking link ends a week after its booking: it shows nothing any more, and says so', async ({
  page,
}) => {
  const server = new Server([], false)
  await server.start()
  try {
    const customer = await server.register('customer')
    const booking = await server.book(customer)
    await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
    /** The booking as if it had ended so many days ago: nobody waits a week for a test. */
    const endedBefore = async (days: number) => {
      await server.stop()
      const at = new Date(Date.now() - days * 86_400_000).toISOString()
      const store = new DatabaseSync(join(server.data, 'lorry.db'))
      const change = "update bookings set state = json_set(state, '$.ended_at', ?) where id = ?"
      expect(store.prepare(change).run(at, booking.id).changes).toBe(1)
      store.close()
      await server.start()
      await page.goto(`${server.url}/track/${booking.tracking_token}`)
    }
    await endedBefore(6)
    await expect(page.getByRole('heading', { level: 1 })).toContainText('Cancelled')
    await endedBefore(8)
    await expect(page.getByText(/or it has ended. Ask whoever sent it/)).toBeVisible()
    await expect(page.getByText('Drottningtorget')).toHaveCount(0)
    await expect(page.getByText(booking.code)).toHaveCount(0)
  } finally {
    await server.stop()
    server.remove()
  }
})
