/** One's own account, in every role. */
import { createHmac } from 'node:crypto'
import { accessible, expect, PASSWORD, signIn, test } from './lorry.ts'
import { looksRight } from './pages.ts'

/** The code of an authenticator app (RFC 6238) for a secret in base32. */
function codeOf(secret: string, at = Date.now()): string {
  const bits = [...secret]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
    .join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)))
  const digest = createHmac('sha1', key).update(counter).digest()
  const offset = (digest.at(-1) as number) & 15
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

test('a customer changes name and phone, asks for another address, and takes the data along', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer', 'Asha Rao')
  await signIn(page, customer)
  await page.getByRole('button', { name: 'Account and settings' }).click()
  await page.getByRole('menuitem', { name: 'Your account' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Profile')
  await accessible(page)
  await page.getByLabel('Phone').fill('0701234567')
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(page.getByLabel('Phone')).toHaveAccessibleDescription(/country code, digits only/)
  await page.getByLabel('Phone').fill('+46701112233')
  await page.getByLabel('Name').fill('Asha R. Rao')
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible()
  expect(await customer.call('GET', '/v1/me')).toMatchObject({ name: 'Asha R. Rao', phone: '+46701112233' })

  await page.getByRole('textbox', { name: 'New address' }).fill('not an address')
  await page.getByRole('button', { name: 'Change the address' }).press('Enter')
  await expect(page.getByRole('textbox', { name: 'New address' })).toHaveAccessibleDescription(
    'This is not an e-mail address',
  )
  await page.getByRole('textbox', { name: 'New address' }).fill('asha@new.example.com')
  await page.getByLabel('Password of now').fill(PASSWORD)
  await page.getByRole('button', { name: 'Change the address' }).press('Enter')
  await expect(page.getByRole('alert').filter({ hasText: 'sends no mail' })).toBeVisible()
  await accessible(page)

  await page.getByRole('link', { name: 'Your data' }).press('Enter')
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Save the file' }).press('Enter')
  const file = (await (await (await saved).createReadStream()).toArray()).join('')
  expect(JSON.parse(file).account).toMatchObject({ name: 'Asha R. Rao', email: customer.email })
  await expect(page.getByText('The file is saved')).toBeVisible()
  await accessible(page)
})

test('a profile that was changed elsewhere: what is typed stays, and what it is now is shown', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer', 'Bo Ek')
  await signIn(page, customer, '/account/profile')
  await page.getByLabel('Name').fill('Bo Alm')
  await customer.call('PATCH', '/v1/me', { name: 'Bo Lind' })
  await page.getByRole('button', { name: 'Save' }).click()
  const told = page.getByRole('alert').filter({ hasText: 'Somebody else has changed this meanwhile' })
  await expect(told).toBeVisible()
  await expect(page.getByLabel('Name')).toHaveValue('Bo Alm')
  await told.getByRole('button', { name: 'Show what it is now' }).click()
  await expect(page.getByLabel('Name')).toHaveValue('Bo Lind')
})

test('a password is changed, sessions are ended one by one and all at once', async ({ page, server }) => {
  const driver = await server.register('driver', 'Ola Berg')
  const again = (password: string) =>
    fetch(`${server.url}/v1/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'User-Agent': 'A phone' },
      body: JSON.stringify({ email: driver.email, password }),
    })
  await signIn(page, driver, '/account/security')
  const sessions = page.getByRole('listitem')
  await expect(sessions).toHaveCount(2)
  const here = sessions.filter({ hasText: 'this one' })
  await expect(here).toHaveCount(1)
  await expect(here.getByText('Chromium on Linux')).toBeVisible()
  await expect(here.getByText('Mozilla/5.0')).toBeHidden()
  await here.getByText('What it says of itself').click()
  await expect(here.getByText('Mozilla/5.0')).toBeVisible()
  await accessible(page)
  await sessions.getByRole('button', { name: 'End' }).press('Enter')
  await expect(sessions).toHaveCount(1)
  await expect(driver.call('GET', '/v1/me')).rejects.toThrow('401')
  expect((await again(PASSWORD)).ok).toBe(true)
  await page.reload()
  await page.getByRole('button', { name: 'End all others' }).press('Enter')
  await accessible(page)
  await page.getByRole('alertdialog').getByRole('button', { name: 'End all others' }).press('Enter')
  await expect(sessions).toHaveCount(1)

  await page.getByLabel('Password of now').fill('wrong horse 1')
  await page.getByLabel('New password').fill('short')
  await page.getByRole('button', { name: 'Change the password' }).press('Enter')
  await expect(page.getByLabel('New password')).toHaveAccessibleDescription('At least 8 characters')
  await page.getByLabel('New password').fill('another horse 7')
  await page.getByRole('button', { name: 'Change the password' }).press('Enter')
  await expect(page.getByRole('alert').filter({ hasText: 'not right' })).toBeVisible()
  await page.getByLabel('Password of now').fill(PASSWORD)
  await page.getByRole('button', { name: 'Change the password' }).press('Enter')
  await expect(page.getByRole('status').filter({ hasText: 'Your password is changed.' })).toBeVisible()
  expect((await again(PASSWORD)).status).toBe(401)
  expect((await again('another horse 7')).ok).toBe(true)
})

test('a second factor is added by QR code, asked for at sign-in, and removed by a recovery code', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  await signIn(page, admin, '/account/security')
  await page.getByRole('button', { name: 'Add a second factor' }).press('Enter')
  const part = page
    .locator('div')
    .filter({ has: page.getByRole('heading', { name: 'Second factor' }) })
    .last()
  await part.getByLabel('Password of now').fill(PASSWORD)
  await part.getByRole('button', { name: 'Go on' }).press('Enter')
  await expect(page.getByRole('img', { name: 'QR code' })).toBeVisible()
  await accessible(page)
  const secret = (await part.locator('code').textContent()) ?? ''
  await part.getByRole('textbox', { name: 'Code' }).fill('1234567')
  await part.getByRole('button', { name: 'Put it in force' }).press('Enter')
  await expect(part.getByRole('alert')).toContainText('not right')
  await part.getByRole('textbox', { name: 'Code' }).fill(codeOf(secret))
  await part.getByRole('button', { name: 'Put it in force' }).press('Enter')
  const shown = page.getByRole('region', { name: 'Recovery codes' })
  const codes = ((await shown.locator('code').textContent()) ?? '').split('\n')
  expect(codes).toHaveLength(10)
  await accessible(page)
  await shown.getByRole('button', { name: 'I have kept it' }).press('Enter')
  await expect(page.getByText('in force: signing in takes a code')).toBeVisible()

  await page.getByRole('button', { name: 'Account and settings' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByLabel('E-mail').fill(admin.email)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByLabel('Code').fill(codes[0] as string)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.waitForURL('**/dispatch')
  await page.goto(`${server.url}/account/security`)
  await page.getByRole('button', { name: 'Remove the second factor' }).press('Enter')
  await page.getByLabel('Code').fill(codes[1] as string)
  await page.getByRole('button', { name: 'Remove the second factor' }).press('Enter')
  await expect(page.getByText('none: your password alone signs in')).toBeVisible()
})

test('what one is told of, and the quiet hours, are chosen with the keyboard and kept', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer')
  await signIn(page, customer, '/account/told')
  await expect(page.getByLabel('E-mail: Delivered')).toBeChecked() // the usual
  await accessible(page)
  await page.getByLabel('E-mail: Delivered').press('Space')
  await page.getByLabel('Message: Cancelled').press('Space')
  await page.getByLabel('From').fill('22:00')
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(page.getByLabel('Until')).toHaveAccessibleDescription(/A time/)
  await page.getByLabel('Until').fill('07:00')
  await page.getByLabel('Time zone').fill('Atlantis/Centre')
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(page.getByLabel('Time zone')).toHaveAttribute('aria-invalid', 'true')
  await accessible(page)
  await page.getByLabel('Time zone').fill('Europe/Stockholm')
  await page.getByLabel('Language of what is sent').selectOption('sv')
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible()
  await page.reload()
  await expect(page.getByLabel('Until')).toHaveValue('07:00')
  await expect(page.getByLabel('E-mail: Delivered')).not.toBeChecked()
  expect(await customer.call('GET', '/v1/notifications/preferences')).toMatchObject({
    language: 'sv',
    timezone: 'Europe/Stockholm',
    quiet_from: '22:00',
    quiet_until: '07:00',
    message: ['cancelled'],
  })
})

test('what is typed is not lost without a question: profile, what one is told of, a webhook', async ({
  page,
  server,
}) => {
  await signIn(page, await server.register('customer'), '/account/profile')
  const asked = page.getByRole('alertdialog', { name: 'Leave without saving?' })
  const place = (name: string) => page.getByRole('link', { name, exact: true })
  async function asks(leave: string): Promise<void> {
    await place(leave).press('Enter')
    await expect(asked).toBeVisible()
    await page.keyboard.press('Escape')
    await expect(asked).toBeHidden()
  }
  await page.getByLabel('Name').fill('Somebody else')
  await asks('Notifications')
  await expect(page.getByLabel('Name')).toHaveValue('Somebody else')
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible()
  await place('Notifications').press('Enter') // saved: nothing is asked
  await page.getByLabel('Message: Cancelled').press('Space')
  await asks('Webhooks')
  await expect(page.getByLabel('Message: Cancelled')).toBeChecked()
  await place('Webhooks').press('Enter')
  await asked.getByRole('button', { name: 'Leave without saving' }).press('Enter')
  await page.getByRole('button', { name: 'Make a webhook' }).press('Enter')
  await page.getByLabel('Address').fill('https://shop.example.com/lorry')
  await asks('Profile')
  await accessible(page)
  await expect(page.getByLabel('Address')).toHaveValue('https://shop.example.com/lorry')
  await page.getByRole('form').getByRole('button', { name: 'Make a webhook' }).press('Enter')
  await expect(page.getByRole('region', { name: /^The secret of/ })).toBeVisible()
  await place('Profile').press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Profile')
})

test('an account is erased: not while a booking is under way, not with a wrong password, and then for good', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer', 'Gone Gun')
  const booking = await server.book(customer)
  await signIn(page, customer, '/account/data')
  await page.getByRole('button', { name: 'Erase the account' }).press('Enter')
  const form = page.getByRole('form', { name: 'Erase the account' })
  await expect(form.getByLabel('Password of now')).toBeFocused()
  await form.getByLabel('Password of now').fill(PASSWORD)
  await form.getByRole('button', { name: 'Erase it for good' }).press('Enter')
  await expect(form.getByRole('alert')).toContainText('nothing was erased')
  await expect(form.getByRole('link')).toHaveText(booking.id)
  await accessible(page)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await form.getByLabel('Password of now').fill('wrong horse 1')
  await form.getByRole('button', { name: 'Erase it for good' }).press('Enter')
  await expect(form.getByRole('alert')).toContainText('not right')
  await form.getByLabel('Password of now').fill(PASSWORD)
  await form.getByRole('button', { name: 'Erase it for good' }).press('Enter')
  await page.waitForURL('**/sign-in')
  await expect(customer.call('GET', '/v1/me')).rejects.toThrow('401')
})

test('the account fits a narrow phone, dark and light, in every language', async ({ page, server }) => {
  test.slow()
  await signIn(page, await server.register('customer'), '/account')
  for (const path of ['profile', 'security', 'told', 'data', 'keys', 'webhooks'])
    await looksRight(page, `/account/${path}`)
})
