import { createHmac } from 'node:crypto'
import { accessible, expect, PASSWORD, test } from './lorry.ts'

/** What an authenticator shows now for a secret in base32 (RFC 6238). */
function code(secret: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)))
  const mac = createHmac('sha1', key).update(counter).digest()
  const word = mac.readUInt32BE((mac[19] ?? 0) & 15) & 0x7fffffff
  return String(word % 1_000_000).padStart(6, '0')
}

test('signing in with a second factor', async ({ page, server }) => {
  const customer = await server.register('customer', 'Asha Rao')
  const begun = await customer.call('POST', '/v1/me/second-factor', { password: PASSWORD })
  const { recovery_codes } = (await customer.call('POST', '/v1/me/second-factor/confirm', {
    code: code((begun as { secret: string }).secret),
  })) as { recovery_codes: string[] }
  await page.goto(`${server.url}/sign-in`)
  await page.getByLabel('E-mail').fill(customer.email)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  const field = page.getByLabel('Code')
  await expect(field).toBeFocused()
  await accessible(page)
  await field.fill('000000')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page.getByText('This is not right')).toBeVisible()
  await field.fill(recovery_codes[0] ?? '')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page.getByRole('heading', { name: 'Where should it go?' })).toBeVisible()
})

test('a link that is not good any more says so, and so does a server without mail', async ({
  page,
  server,
}) => {
  await page.goto(`${server.url}/sign-in`)
  await page.getByRole('link', { name: 'Forgot your password?' }).click()
  await accessible(page)
  await page.getByLabel('E-mail').fill('asha@example.com')
  await page.getByRole('button', { name: 'Send me a link' }).click()
  await expect(page.getByText('sends no mail')).toBeVisible()
  await page.goto(`${server.url}/reset-password?token=01M850A1E7QCRB3XG104WRR17N.JrE5XEEJemzwc6DDAo2dlA`)
  await page.getByLabel('New password').fill('another horse 7')
  await page.getByRole('button', { name: 'Set the password' }).click()
  await expect(page.getByText('This is not right')).toBeVisible()
  await page.goto(`${server.url}/verify-email?token=x`)
  await page.getByRole('button', { name: 'Confirm' }).click()
  await expect(page.getByText('This is not right')).toBeVisible()
  await accessible(page)
})

test('a password may be pasted, nothing moves for whoever wants no motion, and the app can be installed', async ({
  page,
  server,
}) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.goto(`${server.url}/sign-in`)
  await page.getByLabel('Password').focus()
  const taken = await page.getByLabel('Password').evaluate((field) => {
    const pasted = new ClipboardEvent('paste', { cancelable: true, bubbles: true })
    return field.dispatchEvent(pasted)
  })
  expect(taken).toBe(true) // nobody has prevented it
  const button = page.getByRole('button', { name: 'Sign in', exact: true })
  expect(
    await button.evaluate((b) => Number.parseFloat(getComputedStyle(b).transitionDuration)),
  ).toBeLessThan(0.001)

  const address = await page.locator('link[rel=manifest]').getAttribute('href')
  const manifest = await (await page.request.get(`${server.url}${address}`)).json()
  expect(manifest).toMatchObject({ name: 'Lorry', display: 'standalone', start_url: '/' })
  for (const icon of manifest.icons)
    expect((await page.request.get(server.url + icon.src)).headers()['content-type']).toBe(icon.type)
})
