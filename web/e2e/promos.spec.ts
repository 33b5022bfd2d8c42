/** Promo codes: one is made, seen with its uses, and ended. */
import { accessible, expect, type Schemas, signIn, test } from './lorry.ts'
import { looksRight } from './pages.ts'

test.use({ served: { flags: [], streets: false } })

test('an admin makes a promo code, sees how often it was used, and ends it', async ({ page, server }) => {
  test.slow()
  const admin = await server.staff('admin')
  await signIn(page, admin, '/admin/promos')
  await expect(page.getByText('There is no promo code yet.')).toBeVisible()
  await accessible(page)
  await page.getByRole('link', { name: 'Make a promo code' }).press('Enter')
  await page.getByLabel('Code', { exact: true }).fill('å')
  await page.getByRole('button', { name: 'Make a promo code' }).press('Enter')
  await expect(page.getByLabel('Code', { exact: true })).toHaveAttribute('aria-invalid', 'true')
  await accessible(page)
  await page.getByRole('link', { name: 'All promo codes' }).press('Enter')
  await page.getByRole('alertdialog').getByRole('button', { name: 'Stay here' }).press('Enter')
  // Until it is gone, and has given the focus back, what is typed does not take the place of what is there.
  await expect(page.getByRole('alertdialog')).toHaveCount(0)
  await expect(page.getByRole('link', { name: 'All promo codes' })).toBeFocused()
  await page.getByLabel('Code', { exact: true }).fill('spring26')
  await page.getByLabel('Percent').fill('20')
  await page.getByLabel('Uses altogether, at most').fill('3')
  await page.getByRole('button', { name: 'Make a promo code' }).press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('SPRING26')
  await accessible(page)
  const made = await admin.call<Schemas['PromoCode']>('GET', '/v1/promo-codes/SPRING26')
  expect(made).toMatchObject({ percent: 20, uses_max: 3, uses_per_customer_max: 1 })
  await page.getByRole('link', { name: 'All promo codes' }).press('Enter')
  await expect(page.getByRole('row', { name: /SPRING26.*holds.*0 of 3/ })).toBeVisible()
  await page.getByRole('searchbox').fill('winter')
  await expect(page.getByText('Nothing matches this.')).toBeVisible()
  await page.getByRole('button', { name: 'Show all' }).press('Enter')
  await page.getByRole('button', { name: 'SPRING26' }).press('Enter')
  await page.getByRole('button', { name: 'End this code' }).press('Enter')
  await accessible(page)
  await page.getByRole('alertdialog').getByRole('button', { name: 'End this code' }).press('Enter')
  await expect(page.getByRole('button', { name: 'End this code' })).toHaveCount(0)
  expect((await admin.call<Schemas['PromoCode']>('GET', '/v1/promo-codes/SPRING26')).ended).toBe(true)
})

test('promo codes fit a narrow phone, dark and light, in every language', async ({ page, server }) => {
  test.slow()
  const admin = await server.staff('admin')
  await admin.call('POST', '/v1/promo-codes', {
    code: 'AUTUMN26',
    amount: 500,
    valid_to: '2027-01-01T00:00:00Z',
  })
  await signIn(page, admin, '/admin/promos')
  for (const path of ['/admin/promos', '/admin/promos/code/AUTUMN26', '/admin/promos/new'])
    await looksRight(page, path)
})
