/** What goes wrong in the world: a token that ends in the middle, a clock that is wrong, two tabs, a slow network, Back. */
import type { Page } from '@playwright/test'
import { expect, type Person, type Server, signIn, test } from './lorry.ts'

/** PAGE as a customer's who is about to choose a vehicle for a trip that was made before. */
async function choosing(page: Page, server: Server): Promise<Person> {
  const customer = await server.register('customer')
  const before = await server.book(customer)
  await customer.call('POST', `/v1/bookings/${before.id}/cancel`, {})
  await signIn(page, customer, `/book/${before.id}`)
  await page.getByRole('button', { name: 'Book this again' }).click()
  await expect(page.getByText(/This price holds for/)).toBeVisible()
  return customer
}
const bookings = async (customer: Person) =>
  (await customer.call<{ items: { id: string; state: string }[] }>('GET', '/v1/bookings?limit=100')).items
async function cancelAll(customer: Person): Promise<void> {
  for (const { id, state } of await bookings(customer))
    if (state !== 'cancelled') await customer.call('POST', `/v1/bookings/${id}/cancel`, {})
}

test('a token that ends in the middle is renewed, and nothing is asked; a session that has ended asks, and keeps what was written', async ({
  page,
  server,
}) => {
  const customer = await choosing(page, server)
  const spoil = (member: 'access_token' | 'refresh_token') =>
    page.evaluate((name) => {
      const kept = JSON.parse(localStorage.getItem('lorry.session') ?? '{}')
      localStorage.setItem('lorry.session', JSON.stringify({ ...kept, [name]: `${kept[name]}x` }))
      window.dispatchEvent(new StorageEvent('storage', { key: 'lorry.session' }))
    }, member)
  await spoil('access_token')
  await page.getByLabel(/Van/).check()
  await page.getByRole('button', { name: /Continue with Van/ }).click()
  await page.getByLabel('Notes for the driver').fill('ring twice')
  await page.getByRole('button', { name: /^Book Van/ }).click()
  await page.waitForURL('**/book/bkg_*')
  expect(await bookings(customer)).toHaveLength(2)

  await page.getByRole('link', { name: 'Book', exact: true }).click()
  await page.goBack()
  const { id } = (await bookings(customer))[0] ?? { id: '' }
  await customer.call('POST', `/v1/bookings/${id}/cancel`, {})
  await page.getByRole('button', { name: 'Book this again' }).click()
  await page.getByLabel(/Van/).check()
  await page.getByRole('button', { name: /Continue with Van/ }).click()
  await page.getByLabel('Notes for the driver').fill('third floor')
  await spoil('refresh_token')
  await spoil('access_token')
  await page.getByRole('button', { name: /^Book Van/ }).click()
  await page.waitForURL('**/sign-in?next=*')
  expect(await bookings(customer)).toHaveLength(2)
  await page.getByLabel('E-mail').fill(customer.email)
  await page.getByLabel('Password').fill('correct horse 9')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByLabel('Notes for the driver')).toHaveValue('third floor')
  await cancelAll(customer)
})

test('a clock that is an hour off, either way: prices hold as long as they do, and one stays signed in', async ({
  browser,
  server,
}) => {
  for (const wrong_h of [1, -1]) {
    const context = await browser.newContext({ locale: 'en-GB' })
    const page = await context.newPage()
    await page.clock.install({ time: Date.now() + wrong_h * 3_600_000 })
    await page.clock.resume()
    const customer = await choosing(page, server)
    const held = await page.getByText(/This price holds for/).textContent()
    const minutes = Number(/for (\d+):/.exec(held ?? '')?.[1])
    expect(minutes, held ?? '').toBeGreaterThan(0)
    expect(minutes, held ?? '').toBeLessThan(15)
    await page.getByLabel(/Van/).check()
    await page.getByRole('button', { name: /Continue with Van/ }).click()
    await page.getByRole('button', { name: /^Book Van/ }).click()
    await page.waitForURL('**/book/bkg_*')
    await expect(page.getByRole('heading', { level: 1 })).toContainText('Looking for a driver')
    await page.reload()
    await expect(page.getByRole('heading', { level: 1 })).toContainText('Looking for a driver')
    await cancelAll(customer)
    await context.close()
  }
})

test('two tabs: what happens in one is seen in the other, and signing out counts for both', async ({
  page,
  server,
  context,
}) => {
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await signIn(page, customer, `/book/${booking.id}`)
  const other = await context.newPage()
  await other.goto(`${server.url}/book/${booking.id}`)
  const heading = (tab: Page) => tab.getByRole('heading', { level: 1 })
  await expect(heading(other)).toContainText('Looking for a driver')
  // Both renew at the same time: the refresh token is good once, and neither is thrown out.
  await page.evaluate(() => {
    const kept = JSON.parse(localStorage.getItem('lorry.session') ?? '{}')
    localStorage.setItem('lorry.session', JSON.stringify({ ...kept, expires_at: 0 }))
  })
  await Promise.all([page.reload(), other.reload()])
  await expect(heading(page)).toContainText('Looking for a driver')
  await expect(heading(other)).toContainText('Looking for a driver')

  await page.getByRole('button', { name: 'Cancel the booking' }).click()
  await page
    .getByRole('alertdialog')
    .getByRole('button', { name: /^Cancel/ })
    .click()
  await expect(heading(other)).toContainText('Cancelled')
  await page.getByRole('button', { name: 'Account and settings' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await other.waitForURL('**/sign-in**')
})

test('a slow network: the page says that it works on it, and one booking comes of it', async ({
  page,
  server,
}) => {
  const customer = await choosing(page, server)
  await page.getByLabel(/Van/).check()
  await page.getByRole('button', { name: /Continue with Van/ }).click()
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 2_000,
    downloadThroughput: 50_000,
    uploadThroughput: 50_000,
  })
  const book = page.getByRole('button', { name: /^Book Van/ })
  await book.click()
  await expect(book).toBeDisabled()
  await expect(book).toHaveAttribute('aria-busy', 'true')
  await page.waitForURL('**/book/bkg_*', { timeout: 30_000 })
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Looking for a driver', {
    timeout: 30_000,
  })
  expect(await bookings(customer)).toHaveLength(2)
  await cancelAll(customer)
})

test('Back goes a step back and books nothing; after booking it does not book once more', async ({
  page,
  server,
}) => {
  const customer = await choosing(page, server)
  await page.getByLabel(/Van/).check()
  await page.getByRole('button', { name: /Continue with Van/ }).click()
  await expect(page.getByRole('button', { name: /^Book Van/ })).toBeVisible()
  await page.goBack()
  await expect(page.getByLabel(/Van/)).toBeChecked()
  await page.goForward()
  await page.getByRole('button', { name: /^Book Van/ }).click()
  await page.waitForURL('**/book/bkg_*')
  await page.goBack()
  await expect(page.getByRole('button', { name: /^Book Van/ })).toHaveCount(0)
  await page.goForward()
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Looking for a driver')
  expect(await bookings(customer)).toHaveLength(2)
  await cancelAll(customer)
})
