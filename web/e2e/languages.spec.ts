import { accessible, expect, HERE, PASSWORD, test } from './lorry.ts'

test.use({ viewport: { width: 320, height: 640 } })

/** How far anything that scrolls up and down also scrolls sideways; what is meant to (the bar's places) is not counted. */
const sideways = () =>
  [document.documentElement, ...document.querySelectorAll('main, main *')]
    .filter((e) => e === document.documentElement || getComputedStyle(e).overflowY === 'auto')
    .reduce((most, e) => Math.max(most, e.scrollWidth - e.clientWidth), 0)

test('Arabic runs from the right, fits a narrow phone, and is kept', async ({ page, server }) => {
  const customer = await server.register('customer', 'Asha Rao')
  await page.goto(`${server.url}/sign-in`)
  await page.getByRole('button', { name: 'Account and settings' }).click()
  await page.getByRole('menuitemradio', { name: 'العربية' }).click()
  await expect(page.locator('html')).toHaveAttribute('dir', 'rtl')
  await page.reload()
  await expect(page.getByRole('heading', { name: 'تسجيل الدخول إلى Lorry' })).toBeVisible()
  await expect(page.locator('html')).toHaveAttribute('lang', 'ar')
  expect(await page.evaluate(sideways)).toBe(0)
  await accessible(page)

  await page.getByLabel('البريد الإلكتروني').fill(customer.email)
  await page.getByLabel('كلمة المرور').fill(PASSWORD)
  await page.getByRole('button', { name: 'سجّل الدخول' }).click()
  await expect(page.getByRole('heading', { name: 'إلى أين؟' })).toBeVisible()
  expect(await page.evaluate(sideways)).toBe(0)
  await accessible(page)

  // The menu hangs from the end of the bar, which is on the left, and reads from the right itself.
  await page.getByRole('button', { name: 'الحساب والإعدادات' }).click()
  const menu = page.getByRole('menu')
  await expect(menu).toHaveCSS('direction', 'rtl')
  expect((await menu.boundingBox())?.x).toBeLessThan(100)
  await page.keyboard.press('Escape')

  const booking = await server.book(customer)
  const driver = await server.driver(HERE)
  await server.accept(driver)
  await page.goto(`${server.url}/book/${booking.id}`)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('في الطريق إلى مكان الاستلام')
  expect(await page.evaluate(sideways)).toBe(0)
  await accessible(page)
  await page.goto(`${server.url}/book/history`)
  const arrow = page.getByRole('listitem').getByText('→')
  await expect(arrow).toHaveCSS('scale', '-1 1') // it points to the left, where reading goes
  expect(await page.evaluate(sideways)).toBe(0)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('a browser that asks for Hindi gets it', async ({ browser, server }) => {
  const context = await browser.newContext({ locale: 'hi-IN', viewport: { width: 320, height: 640 } })
  const page = await context.newPage()
  await page.goto(`${server.url}/sign-in`)
  await expect(page.getByRole('heading', { name: 'Lorry में साइन इन करें' })).toBeVisible()
  await expect(page.locator('html')).toHaveAttribute('dir', 'ltr')
  expect(await page.evaluate(sideways)).toBe(0)
  await accessible(page)
  await page.getByRole('link', { name: 'खाता बनाएँ' }).click()
  await page.getByLabel('नाम').fill('आशा राव')
  await page.getByLabel('ई-मेल').fill(`asha.hi.${Date.now()}@example.com`)
  await page.getByLabel('फ़ोन').fill('+९१९८१०१२३४५६') // as a keyboard for Hindi may write it
  await page.getByLabel('पासवर्ड').fill(PASSWORD)
  await page.getByRole('button', { name: 'खाता बनाएँ' }).click()
  await expect(page.getByRole('heading', { name: 'कहाँ पहुँचाना है?' })).toBeVisible()
  expect(await page.evaluate(sideways)).toBe(0)
  await context.close()
})
