/** The administration's frame and the accounts. */
import { accessible, expect, signIn, test } from './lorry.ts'
import { looksRight } from './pages.ts'

test('an admin finds an account, gives it a role and takes it back, disables it, with the keyboard', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  await server.register('customer', 'Quentin Quist')
  await signIn(page, admin, '/admin')
  await page.waitForURL('**/admin/**')
  await page.goto(`${server.url}/admin/accounts`)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Accounts')
  await accessible(page)

  const search = page.getByRole('searchbox')
  await search.fill('nobody at all')
  await expect(page.getByText('Nothing matches this.')).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: 'Show all' }).press('Enter')
  await search.fill('quist customer')
  await expect(page.getByRole('row')).toHaveCount(2)
  await expect(page).toHaveURL(/q=quist/)
  await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').press('Enter')
  await expect(page.getByRole('columnheader', { name: 'Name' })).toHaveAttribute('aria-sort', 'ascending')
  await page.getByRole('button', { name: 'Quentin Quist' }).press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Quentin Quist')
  await accessible(page)

  await page.getByLabel('Role').selectOption('dispatcher')
  const said = page.getByRole('status').filter({ hasText: 'Quentin Quist is dispatcher now.' })
  await expect(said).toBeVisible()
  await accessible(page)
  await said.getByRole('button', { name: 'Undo' }).press('Enter')
  await expect(page.getByLabel('Role')).toHaveValue('customer')

  await page.getByRole('button', { name: 'Disable' }).press('Enter')
  const asks = page.getByRole('alertdialog')
  await expect(asks).toContainText('All sessions end')
  await accessible(page)
  await asks.getByRole('button', { name: 'Cancel' }).press('Enter')
  await page.getByRole('button', { name: 'Disable' }).press('Enter')
  await asks.getByRole('button', { name: 'Disable' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Enable again' })).toBeVisible()
  await page.getByRole('button', { name: 'Enable again' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Disable' })).toBeVisible()

  await page.getByRole('button', { name: 'Erase the person' }).press('Enter')
  await expect(asks).toContainText('cannot be undone')
  await asks.getByRole('button', { name: 'Erase the person' }).press('Enter')
  await page.waitForURL('**/admin/accounts')
  await expect(page.getByRole('status').filter({ hasText: 'The person is erased.' })).toBeVisible()
  await page.getByRole('searchbox').fill('quist')
  await expect(page.getByText('Nothing matches this.')).toBeVisible()
})

test('two admins change one account: the second is told, and sees what it is now', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  const who = await server.register('customer', 'Rut Ros')
  await signIn(page, admin, `/admin/accounts/${who.session.user.id}`)
  await expect(page.getByLabel('Role')).toHaveValue('customer')
  await admin.call('PATCH', `/v1/users/${who.session.user.id}`, { role: 'driver' })
  await page.getByLabel('Role').selectOption('dispatcher')
  const told = page.getByRole('alert').filter({ hasText: 'Somebody else has changed this meanwhile' })
  await expect(told).toBeVisible()
  await accessible(page)
  await told.getByRole('button', { name: 'Show what it is now' }).click()
  await expect(page.getByLabel('Role')).toHaveValue('driver')
  await expect(told).toBeHidden()
})

test('the last administrator stays, and the page says why', async ({ page, server }) => {
  const { items } = await (await server.staff('admin')).call<{ items: { id: string }[] }>(
    'GET',
    '/v1/users?role=admin&limit=200',
  )
  const admin = await server.staff('admin')
  for (const { id } of items) await admin.call('PATCH', `/v1/users/${id}`, { disabled: true })
  await signIn(page, admin, `/admin/accounts/${admin.session.user.id}`)
  await expect(page.getByText('This is your own account.')).toBeVisible()
  await page.getByLabel('Role').selectOption('customer')
  await expect(page.getByRole('alert')).toContainText('admin')
  await expect(page.getByLabel('Role')).toHaveValue('admin')
})

test('a table that is loading, cannot be read, is empty: each says so', async ({ page, server }) => {
  const admin = await server.staff('admin')
  const list = /\/v1\/users\?/
  let answer: (what: 'fail' | 'none') => void = () => undefined
  const asked = new Promise<'fail' | 'none'>((resolve) => {
    answer = resolve
  })
  await page.route(list, async (route) => ((await asked) === 'fail' ? route.abort() : route.continue()))
  await signIn(page, admin, '/admin/accounts')
  await expect(page.getByText('Loading')).toBeAttached()
  answer('fail')
  const retry = page.getByRole('alert').getByRole('button', { name: 'Try again' })
  await expect(retry).toBeVisible({ timeout: 30_000 })
  await accessible(page)
  await page.unroute(list)
  await page.route(list, (route) => route.fulfill({ json: { items: [], next_cursor: null } }))
  await retry.click()
  await expect(page.getByText('There are no accounts yet')).toBeVisible()
  await accessible(page)
  await page.unroute(list)
})

test('ten thousand rows stay smooth: few are in the page, all are sorted and searched', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  const count = 10_000
  const of = (n: number) => ({
    ...admin.session.user,
    id: `usr_${n}`,
    name: `Person ${n}`,
    email: `p${n}@example.com`,
    role: 'customer',
  })
  await page.route(/\/v1\/users\?/, (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0)
    const items = Array.from({ length: Math.min(200, count - from) }, (_, i) => of(from + i))
    return route.fulfill({ json: { items, next_cursor: from + 200 < count ? String(from + 200) : null } })
  })
  await signIn(page, admin, '/admin/accounts')
  await expect(page.getByRole('status').filter({ hasText: '200 rows, more as you scroll' })).toBeVisible()
  const head = page.getByRole('columnheader', { name: 'Name' }).getByRole('button')
  await head.click()
  await head.click()
  await expect(page.getByRole('status').filter({ hasText: /^10,000 rows$/ })).toBeVisible({ timeout: 60_000 })
  await expect(page.getByRole('row').nth(1)).toContainText('Person 9999')
  expect(await page.getByRole('row').count()).toBeLessThan(80)
  // Two seconds of scrolling from end to end: a frame takes a tenth of a second at the most, on a machine that others use.
  const slowest = await page.getByRole('region', { name: 'Accounts' }).evaluate(async (box) => {
    const frames: number[] = []
    for (let i = 0; i < 60; i++) {
      box.scrollTop = (box.scrollHeight * i) / 60
      const before = performance.now()
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
      frames.push(performance.now() - before)
    }
    return frames.sort((a, b) => a - b)[Math.floor(frames.length * 0.9)] as number
  })
  expect(slowest).toBeLessThan(250)
  await page.getByRole('searchbox').fill('p4321@')
  await expect(page.getByRole('button', { name: 'Person 4321' })).toBeVisible()
  await expect(page.getByRole('row')).toHaveCount(2)
})

test('whom it is not for sees nothing of it, and is told', async ({ page, server }) => {
  await signIn(page, await server.register('customer'), '/admin')
  await page.waitForURL('**/book')
  const dispatcher = await server.staff('dispatcher')
  await page.evaluate(() => localStorage.clear())
  await signIn(page, dispatcher, '/admin/accounts')
  await expect(page.getByText('it is not for your role')).toBeVisible()
  await accessible(page)
})

test('the accounts fit a narrow phone, dark and light, in every language', async ({ page, server }) => {
  test.slow()
  const admin = await server.staff('admin')
  const who = await server.register('customer', 'Wilhelmina Längrenavnsson af Sandeberg')
  await signIn(page, admin, '/admin/accounts')
  await looksRight(page, '/admin/accounts')
  await looksRight(page, `/admin/accounts/${who.session.user.id}`)
})
