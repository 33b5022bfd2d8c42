/** What programs use: API keys and webhooks; and the audit log, which tells who has made them. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { accessible, expect, type Schemas, signIn, test } from './lorry.ts'
import { looksRight } from './pages.ts'

/** Webhooks may lead to this machine. */
test.use({ served: { flags: ['--webhook-allow-private'], streets: false } })

test('a key is made, shown once, used and revoked, with the keyboard', async ({ page, server, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const admin = await server.staff('admin')
  await signIn(page, admin, '/admin/keys')
  await expect(page.getByText('You have no API keys.')).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: 'Make a key' }).press('Enter')
  const form = page.getByRole('form', { name: 'Make a key' })
  await form.getByRole('button', { name: 'Make a key' }).press('Enter')
  await expect(form.getByRole('alert')).toHaveText('Choose at least one')
  await expect(form.getByLabel('What it is for')).toHaveAccessibleDescription('Write something here')
  await form.getByLabel('What it is for').fill('The till')
  await form.getByLabel('Read accounts').press('Space')
  await form.getByLabel('Days that it lasts').fill('9999')
  await form.getByRole('button', { name: 'Make a key' }).press('Enter')
  await expect(form.getByLabel('Days that it lasts')).toHaveAccessibleDescription(/3650/)
  await accessible(page)
  await form.getByLabel('Days that it lasts').fill('30')
  await form.getByRole('button', { name: 'Make a key' }).press('Enter')

  const shown = page.getByRole('region', { name: 'The key "The till"' })
  await expect(shown).toBeFocused()
  await accessible(page)
  const key = (await shown.locator('code').textContent()) ?? ''
  await shown.getByRole('button', { name: 'Copy' }).press('Enter')
  await expect(shown.getByRole('button', { name: 'Copied' })).toBeVisible()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(key)
  const use = () => fetch(`${server.url}/v1/users`, { headers: { Authorization: `Bearer ${key}` } })
  expect((await use()).status).toBe(200)
  await shown.getByRole('button', { name: 'I have kept it' }).press('Enter')
  await expect(page.getByText(key)).toBeHidden()
  await page.reload()
  const row = page.getByRole('listitem').filter({ hasText: 'The till' })
  await expect(row).toContainText('users:read')

  await row.getByRole('button', { name: 'Revoke' }).press('Enter')
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).press('Enter')
  await expect(page.getByText('You have no API keys.')).toBeVisible()
  expect((await use()).status).toBe(401)
})

test('a webhook is made, tested, fails, is sent again, gets a new secret, stops and goes on', async ({
  page,
  server,
}) => {
  const heard: string[] = []
  let answer = 500
  const receiver = createServer((request, response) => {
    heard.push(String(request.headers['webhook-id']))
    request.resume()
    response.writeHead(answer).end(answer === 500 ? 'not today' : '')
  })
  await new Promise<void>((ready) => receiver.listen(0, '127.0.0.1', ready))
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/lorry`
  await signIn(page, await server.staff('admin'), '/admin/webhooks')
  await expect(page.getByText('You have no webhooks.')).toBeVisible()
  await page.getByRole('button', { name: 'Make a webhook' }).press('Enter')
  const form = page.getByRole('form', { name: 'Make a webhook' })
  await form.getByLabel('Address').fill('http://user@example.com')
  await form.getByRole('button', { name: 'Make a webhook' }).press('Enter')
  await expect(form.getByLabel('Address')).toHaveAccessibleDescription(/without user/)
  await accessible(page)
  await form.getByLabel('Address').fill(url)
  await form.getByLabel('What it is for').fill('The shop')
  await form.getByLabel(/^Delivered/).press('Space')
  await form.getByRole('button', { name: 'Make a webhook' }).press('Enter')
  const shown = page.getByRole('region', { name: `The secret of ${url}` })
  await expect(shown.locator('code')).toHaveText(/^whsec_/)
  await accessible(page)
  await shown.getByRole('button', { name: 'I have kept it' }).press('Enter')

  await page.getByRole('link', { name: /The shop/ }).press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Webhook')
  await expect(page.getByText('Nothing was sent yet.')).toBeVisible()
  await page.getByRole('button', { name: 'Send a test' }).press('Enter')
  const row = page.getByRole('row', { name: /webhook\.test/ })
  await expect(row).toBeVisible()
  await expect.poll(() => heard.length).toBeGreaterThan(0)
  await expect(async () => {
    await page.getByRole('button', { name: 'Look again' }).click()
    await expect(row).toContainText('waiting', { timeout: 1000 })
    if (!(await page.getByText('not today').isVisible())) await row.getByRole('button').click()
    await expect(page.getByText('not today')).toBeVisible({ timeout: 1000 })
  }).toPass()
  await accessible(page)
  answer = 204
  await page.getByRole('button', { name: 'Send again' }).press('Enter')
  await expect(async () => {
    await page.getByRole('button', { name: 'Look again' }).click()
    await expect(row).toContainText('sent', { timeout: 1000 })
  }).toPass()
  expect(new Set(heard).size).toBe(1) // the same one, however often it came
  await page.getByLabel('How it went').selectOption('dead')
  await expect(page.getByText('Nothing matches this.')).toBeVisible()
  await page.getByRole('button', { name: 'Show all' }).press('Enter')
  await expect(row).toBeVisible()

  await page.getByRole('button', { name: 'New secret' }).press('Enter')
  await page.getByRole('alertdialog').getByRole('button', { name: 'New secret' }).press('Enter')
  await expect(shown.locator('code')).toHaveText(/^whsec_/)
  await expect(page.getByText('The old secret counts until')).toBeVisible()
  await page.getByLabel('What it is for').fill('The other shop')
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible()
  await page.getByRole('button', { name: 'Switch off' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Switch on again' })).toBeVisible()
  const said = page.getByRole('status').filter({ hasText: 'Nothing is sent to it now.' })
  await said.getByRole('button', { name: 'Undo' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Switch off' })).toBeVisible()
  await accessible(page)

  await page.goto(`${server.url}/admin/webhooks/all?state=sent`)
  await expect(page.getByRole('row', { name: /webhook\.test/ })).toBeVisible()
  await accessible(page)
  await page.goBack()
  await page.getByRole('button', { name: 'Remove' }).press('Enter')
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).press('Enter')
  await expect(page.getByText('You have no webhooks.')).toBeVisible()
  receiver.close()
})

test('the audit log is filtered by who, what and when, shows what changed, and is saved', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  const who = await server.register('customer', 'Greta Gren')
  await admin.call('PATCH', `/v1/users/${who.session.user.id}`, { role: 'dispatcher' })
  await admin.call('PATCH', `/v1/users/${who.session.user.id}`, { disabled: true })
  await signIn(page, admin, `/admin/accounts/${who.session.user.id}`)
  await page.getByRole('link', { name: 'What was done to this account' }).press('Enter')
  await expect(page.getByRole('row', { name: /user\.changed/ })).toHaveCount(2)
  await accessible(page)
  await page
    .getByRole('row', { name: /user\.changed/ })
    .last()
    .getByRole('button')
    .press('Enter')
  const entry = page.getByRole('region', { name: 'Entry' })
  await expect(entry.getByRole('row', { name: /role customer dispatcher/ })).toBeVisible()
  await expect(entry.getByText('Bea Boss')).toBeVisible()
  await accessible(page)

  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Save as CSV' }).press('Enter')
  const file = await (await saved).createReadStream()
  const text = (await file.toArray()).join('')
  expect(text.split('\r\n')[0]).toContain('at,action,source')
  expect(text).toContain('""role"":""dispatcher""')

  await page.getByRole('textbox', { name: 'What', exact: true }).fill('user.nothing')
  await page.getByRole('button', { name: 'Show', exact: true }).press('Enter')
  await expect(page.getByText('Nothing matches this.')).toBeVisible()
  await expect(page).toHaveURL(/action=user\.nothing/)
  await page.getByRole('button', { name: 'Show all' }).first().press('Enter')
  await expect(page.getByRole('textbox', { name: 'What', exact: true })).toHaveValue('') // another form by now
  await page.getByLabel('Before').fill('2020-01-01T00:00')
  await page.getByRole('button', { name: 'Show', exact: true }).press('Enter')
  await expect(page.getByText('Nothing matches this.')).toBeVisible()
})

test('keys, webhooks and the audit log fit a narrow phone, dark and light, in every language', async ({
  page,
  server,
}) => {
  test.slow()
  const admin = await server.staff('admin')
  await admin.call('POST', '/v1/api-keys', { name: 'The till', scopes: ['bookings:read', 'users:read'] })
  const hook = await admin.call<Schemas['Webhook']>('POST', '/v1/webhooks', {
    url: 'https://a-long-name-of-a-server.example.com/with/a/long/path',
  })
  await signIn(page, admin, '/admin/keys')
  for (const path of [
    '/admin/keys',
    '/admin/webhooks',
    `/admin/webhooks/${hook.id}`,
    '/admin/webhooks/all',
    '/admin/audit',
  ])
    await looksRight(page, path)
})
