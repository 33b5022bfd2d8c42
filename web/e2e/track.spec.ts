import { accessible, expect, HERE, test } from './lorry.ts'

test.use({ viewport: { width: 320, height: 640 } })

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
  expect(booking.tracking_token.length).toBeGreaterThanOrEqual(22) // 128 bits
  const who = page.getByText(/^Ola, Van/)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Looking for a driver')
  await expect(who).toHaveCount(0)

  const driver = await server.driver(HERE)
  await server.accept(driver)
  await server.move(driver, { lat: HERE.lat - 0.002, lng: HERE.lng }) // from here on it is known when he comes
  await expect(who).toBeVisible()
  await expect(page.getByText(/^Arrives between \d\d:\d\d and \d\d:\d\d$/)).toBeVisible()
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
