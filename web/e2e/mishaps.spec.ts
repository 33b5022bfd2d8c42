/** What goes wrong around the app: a token that ends in the middle, two tabs, a slow network, a wrong clock, the back button,
 * a hand that clicks twice, a right that was taken away. */
import { expect, type Schemas, signIn, test } from './lorry.ts'

/** What the page has of its session, as it lies in the browser. */
const session = 'lorry.session'

test('the token ends in the middle of a form: it is renewed, and the form is sent', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer', 'Asha Rao')
  await signIn(page, customer, '/account/profile')
  await page.getByLabel('Name').fill('Asha Lind')
  let refused = 0
  await page.route('**/v1/me', async (route) => {
    if (route.request().method() !== 'PATCH' || refused++ > 0) return route.continue()
    return route.fulfill({
      status: 401,
      contentType: 'application/problem+json',
      body: JSON.stringify({
        type: 'https://lorry.dev/problems/unauthenticated',
        title: 'Not signed in',
        status: 401,
      }),
    })
  })
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible()
  expect(refused).toBe(2)
  expect(await customer.call('GET', '/v1/me')).toMatchObject({ name: 'Asha Lind' })
})

test('a session that was ended elsewhere leads to the sign-in, and back to the same page', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer', 'Asha Rao')
  await signIn(page, customer, '/account/security')
  await expect(page.getByText('this one')).toBeVisible()
  await customer.call('DELETE', '/v1/me/sessions')
  await page.reload()
  await page.waitForURL('**/sign-in?next=**')
  await page.getByLabel('E-mail').fill(customer.email)
  await page.getByLabel('Password').fill('correct horse 9')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('**/account/security')
  await expect(page.getByText('this one')).toBeVisible()
})

test('two tabs renew one session, and what one signs out of the other is out of', async ({
  context,
  server,
}) => {
  const customer = await server.register('customer', 'Asha Rao')
  const [one, two] = [await context.newPage(), await context.newPage()]
  await signIn(one, customer, '/account/profile')
  await two.goto(`${server.url}/account/profile`)
  await expect(two.getByLabel('Name')).toHaveValue('Asha Rao')
  // Both find the token spent at once: the refresh token is good once, and neither may lose the session by that.
  for (const page of [one, two])
    await page.evaluate((key) => {
      const kept = JSON.parse(localStorage.getItem(key) ?? '{}')
      localStorage.setItem(key, JSON.stringify({ ...kept, expires_at: 0 }))
    }, session)
  await Promise.all([one.reload(), two.reload()])
  for (const page of [one, two]) await expect(page.getByLabel('Name')).toHaveValue('Asha Rao')
  await one.getByRole('button', { name: 'Account and settings' }).click()
  await one.getByRole('menuitem', { name: 'Sign out' }).click()
  await two.waitForURL('**/sign-in**')
})

test('on a slow network the page comes, says that it loads, and loses nothing', async ({ page, server }) => {
  const admin = await server.staff('admin')
  await server.register('customer', 'Slow Sven')
  await signIn(page, admin)
  const client = await page.context().newCDPSession(page)
  await client.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 400,
    downloadThroughput: 50_000,
    uploadThroughput: 50_000,
  })
  await page.goto(`${server.url}/admin/accounts?q=sven`)
  await expect(page.getByRole('button', { name: 'Slow Sven' })).toBeVisible({ timeout: 45_000 })
  await expect(page.getByRole('searchbox')).toHaveValue('sven')
})

test('a clock that is wrong by an hour ends no session', async ({ page, server }) => {
  const customer = await server.register('customer', 'Asha Rao')
  await page.clock.install({ time: Date.now() + 3_600_000 })
  await signIn(page, customer, '/account/security')
  await expect(page.getByText('this one')).toBeVisible()
  await page.reload()
  await expect(page.getByText('this one')).toBeVisible()
  const { items } = await customer.call<{ items: Schemas['OpenSession'][] }>('GET', '/v1/me/sessions')
  expect(items).toHaveLength(2)
})

test('back leads through what was opened and searched, and a search is still there', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  await server.register('customer', 'Back Bo')
  await signIn(page, admin, '/admin/accounts')
  await page.getByRole('searchbox').fill('back bo')
  await expect(page).toHaveURL(/q=back/)
  await page.getByRole('button', { name: 'Back Bo' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Back Bo')
  await page.goBack()
  await expect(page.getByRole('searchbox')).toHaveValue('back bo')
  await expect(page.getByRole('row')).toHaveCount(2)
  await page.goForward()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Back Bo')
})

test('a hand that clicks twice makes one key', async ({ page, server }) => {
  const admin = await server.staff('admin')
  await signIn(page, admin, '/admin/keys')
  await page.getByRole('button', { name: 'Make a key' }).click()
  const form = page.getByRole('form', { name: 'Make a key' })
  await form.getByLabel('What it is for').fill('Twice')
  await form.getByLabel('Read accounts').check()
  await form.getByRole('button', { name: 'Make a key' }).dblclick()
  await expect(page.getByRole('region', { name: 'The key "Twice"' })).toBeVisible()
  await page.reload()
  await expect(page.getByRole('listitem').filter({ hasText: 'Twice' })).toHaveCount(1)
})

test('an office that was taken away: nothing is done, it says so, and nothing typed is lost', async ({
  page,
  server,
}) => {
  const [boss, admin] = [await server.staff('admin'), await server.staff('admin')]
  await signIn(page, admin, '/admin/tariffs/new')
  await page.getByRole('group', { name: 'Rate 1' }).getByLabel('Per km').fill('77')
  await page.route('**/v1/tariffs/preview', (route) =>
    route.fulfill({
      status: 403,
      contentType: 'application/problem+json',
      body: JSON.stringify({
        type: 'https://lorry.dev/problems/forbidden',
        title: 'Not for this role',
        status: 403,
      }),
    }),
  )
  await page.getByRole('button', { name: 'See what last week would have cost' }).click()
  await expect(page.getByRole('alert')).toContainText('Not for this role')
  await expect(page.getByRole('group', { name: 'Rate 1' }).getByLabel('Per km')).toHaveValue('77')
  // The office itself is taken: its sessions end with it.
  await boss.call('PATCH', `/v1/users/${admin.session.user.id}`, { role: 'dispatcher' })
  await page.unroute('**/v1/tariffs/preview')
  await page.getByRole('button', { name: 'See what last week would have cost' }).click()
  await page.waitForURL('**/sign-in**')
})
