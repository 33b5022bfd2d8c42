import { accessible, expect, HERE, PASSWORD, type Schemas, signIn, test } from './lorry.ts'

test('a customer books with the keyboard, a driver comes, the goods arrive', async ({
  page,
  server,
  context,
}) => {
  test.skip(!server.hasStreets, 'the streets of the demo city are not here')
  const driver = await server.driver(HERE)
  await page.goto(`${server.url}/register`)
  await accessible(page)
  await page.getByLabel('Name').fill('Asha Rao')
  await page.getByLabel('E-mail').fill(`asha.${Date.now()}@example.com`)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await page.waitForURL('**/book')

  await page.getByLabel('Pickup').fill('drottningtor')
  await page.getByRole('option', { name: /Drottningtorget/ }).waitFor()
  await accessible(page)
  await page.keyboard.press('Enter')
  await page.getByLabel('Drop-off').fill('korsvag')
  await page.getByRole('option', { name: /Korsvägen/ }).waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'See prices' }).press('Enter')

  await expect(page.getByText(/This price holds for/)).toBeVisible()
  await accessible(page)
  await page.getByLabel(/Van/).check()
  await page.getByRole('button', { name: /Continue with Van/ }).press('Enter')
  await page.getByLabel('Who is there').last().fill('Bo Ek')
  await page.getByLabel('Notes for the driver').fill('ring twice')
  await accessible(page)

  // Back keeps what was written.
  await page.goBack()
  await page.goForward()
  await expect(page.getByLabel('Notes for the driver')).toHaveValue('ring twice')

  await page.getByRole('button', { name: /^Book Van/ }).dblclick() // makes one booking
  await page.waitForURL('**/book/bkg_*')
  await expect(page.getByRole('heading', { level: 1 })).toContainText(/Looking for a driver|Asking drivers/)

  const booking = await server.accept(driver)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('On the way to the pickup')
  await expect(page.getByText('Ola Berg')).toBeVisible()
  await expect(page.getByRole('link', { name: 'Call' })).toHaveAttribute('href', 'tel:+46701234567')
  await accessible(page)

  const follower = await context.newPage()
  const staff = await server.staff('dispatcher') // its driver has no link
  const { tracking_token } = await staff.call<Schemas['Booking']>('GET', `/v1/bookings/${booking.id}`)
  await follower.goto(`${server.url}/track/${tracking_token}`)
  await expect(follower.getByText(/^Ola, Van/)).toBeVisible() // the first name only
  await expect(follower.getByText('Berg')).toHaveCount(0)
  await accessible(follower)

  for (const status of ['arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered'])
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Delivered')
  await expect(follower.getByRole('heading', { level: 1 })).toContainText('Delivered')
  await page.getByText('5 stars').check({ force: true })
  await page.getByRole('button', { name: 'Send the rating' }).click()
  await expect(page.getByRole('img', { name: '5 stars' })).toBeVisible()

  await page.getByRole('link', { name: 'Bookings' }).click()
  await expect(page.getByRole('listitem').filter({ hasText: 'Drottningtorget → Korsvägen' })).toHaveCount(1)
  await accessible(page)
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('nobody is free: it can be cancelled, and booked again', async ({ page, server }) => {
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await signIn(page, customer, `/book/${booking.id}`)
  await page.getByRole('button', { name: 'Cancel the booking' }).click()
  await expect(page.getByRole('alertdialog')).toContainText('Cancelling costs nothing')
  await accessible(page)
  await page.getByRole('button', { name: 'Keep the booking' }).click()
  await page.getByRole('button', { name: 'Cancel the booking' }).click()
  await page.getByRole('button', { name: 'Cancel it' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Cancelled')
  await page.getByRole('button', { name: 'Book this again' }).click()
  await expect(page.getByText(/This price holds for/)).toBeVisible()
})

test('the server goes away and comes back: nothing is lost, and the page says so', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await signIn(page, customer, `/book/${booking.id}`)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Looking for a driver')
  await expect(page.locator('.maplibregl-canvas')).toBeVisible() // all that the page needs has come
  const listen = server.url.replace('http://', '')
  await server.stop('SIGKILL')
  await expect(page.getByRole('status').filter({ hasText: 'Reconnecting' })).toBeVisible()
  await server.start(listen)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, { reason: 'while it was away' })
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Cancelled')
  await expect(page.getByRole('status').filter({ hasText: 'Reconnecting' })).toHaveCount(0)
})

test('a wrong link, a wrong password, a phone', async ({ page, server }) => {
  await page.goto(`${server.url}/track/${'x'.repeat(40)}`)
  await expect(page.getByText(/does not lead to a delivery/)).toBeVisible()
  const customer = await server.register('customer')
  await page.setViewportSize({ width: 320, height: 640 })
  await page.goto(`${server.url}/sign-in`)
  await page.getByLabel('E-mail').fill(customer.email)
  await page.getByLabel('Password').fill('wrong horse 9')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('alert')).toContainText('E-mail or password is wrong')
  await expect(page.getByLabel('E-mail')).toHaveValue(customer.email)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('**/book')
  const wide = await page.evaluate(
    () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
  )
  expect(wide).toBe(false)
  await page.getByRole('button', { name: 'Account and settings' }).click()
  await page.getByRole('menuitemradio', { name: 'Svenska' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Vart ska det?')
  await expect(page.locator('html')).toHaveAttribute('lang', 'sv')
})
