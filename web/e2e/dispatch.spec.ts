import { accessible, expect, HERE, PASSWORD, signIn, test } from './lorry.ts'

test('a dispatcher sees what needs somebody, and gives it to a driver with the keyboard', async ({
  page,
  server,
}) => {
  const staff = await server.staff('dispatcher')
  const customer = await server.register('customer')
  await signIn(page, staff)
  await page.waitForURL('**/dispatch')
  await expect(page.getByText('No jobs under way')).toBeVisible()
  await accessible(page)

  const booking = await server.book(customer)
  const row = page.getByRole('option', { name: new RegExp(booking.code) })
  await expect(row).toBeVisible()
  await page.keyboard.press('j')
  await expect(page).toHaveURL(new RegExp(`job=${booking.id}`))
  await expect(page.getByRole('heading', { level: 2 })).toContainText(booking.code)
  await expect(page.getByText('No free Van within 50 km')).toBeVisible()
  await accessible(page)

  // Far enough that dispatch does not ask him by itself, near enough to be chosen.
  const driver = await server.driver({ lat: HERE.lat + 0.4, lng: HERE.lng }, 'van', 'Ola Berg')
  const assign = page.getByRole('button', { name: 'Assign to Ola Berg' })
  await expect(assign).toBeVisible()
  await assign.focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 2 })).toContainText('On the way to the pickup')
  await page.getByText('Why which driver').click()
  await expect(page.getByText('chosen by hand')).toBeVisible()
  await accessible(page)

  await page.keyboard.press('Escape')
  await expect(page.getByRole('region', { name: 'The job' })).toHaveCount(0)
  await page.keyboard.press('/')
  await page.keyboard.type('nothing like it')
  await expect(page.getByText('No jobs of this kind')).toBeVisible()
  await page.getByRole('button', { name: 'Show all' }).click()
  await expect(row).toBeVisible()
  await page.getByRole('main').click({ position: { x: 5, y: 300 } })
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible()
  await accessible(page)
  await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status: 'arrived_pickup' })
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('two dispatchers, one job: the second is told, and sees what it is now', async ({
  page,
  server,
  context,
}) => {
  const staff = await server.staff('dispatcher')
  const customer = await server.register('customer')
  const driver = await server.driver({ lat: HERE.lat + 0.4, lng: HERE.lng }, 'van', 'Kim Ek')
  const booking = await server.book(customer)
  await signIn(page, staff, `/dispatch?job=${booking.id}`)
  const assign = page.getByRole('button', { name: 'Assign to Kim Ek' })
  await expect(assign).toBeVisible()
  await context.setOffline(true) // this one does not hear of it
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await assign.click()
  await expect(page.getByRole('alert').filter({ hasText: 'cannot be reached' })).toBeVisible()
  await context.setOffline(false)
  await expect(page.getByRole('heading', { level: 2 })).toContainText('Cancelled')
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('a vehicle moves on the map, is chosen, and shows who it is', async ({ page, server }) => {
  const staff = await server.staff('dispatcher')
  const driver = await server.driver(HERE, 'van', 'Ola Berg')
  const id = (await driver.call<{ id: string }>('GET', '/v1/driver')).id
  await signIn(page, staff, `/dispatch?vehicle=${id}`)
  await expect(page.getByRole('heading', { level: 2 })).toHaveText('Ola Berg')
  await expect(page.getByText(/Van · free/)).toBeVisible()
  await expect(page.getByText(/\b1 vehicle, 0 busy/)).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: 'Follow on the map' }).click()
  await expect(page.getByRole('button', { name: 'Stop following' })).toBeVisible()
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('dark as the device is, and as one chooses; every word can be read', async ({ page, server }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await signIn(page, await server.staff('admin'), `/dispatch?job=${booking.id}`)
  await expect(page.getByRole('heading', { level: 2 })).toContainText(booking.code)
  const light = await ground()
  await page.emulateMedia({ colorScheme: 'dark' })
  await expect.poll(ground).not.toBe(light)
  await accessible(page)
  await page.getByRole('button', { name: 'Account and settings' }).click()
  await page.getByRole('menuitemradio', { name: 'Light' }).click()
  await expect.poll(ground).toBe(light)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
})

test('a customer may not see the console', async ({ page, server }) => {
  const customer = await server.register('customer')
  await page.goto(`${server.url}/dispatch`)
  await page.getByLabel('E-mail').fill(customer.email)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('**/book')
})
