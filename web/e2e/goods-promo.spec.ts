/** What is carried, and a promo code: classes that do not take it go, prices follow, a refused code is said in words. */
import { accessible, expect, HERE, type Schemas, signIn, test } from './lorry.ts'

test('goods leave out what is too small, a code takes something off, a wrong one is refused and let go', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  await admin.call('POST', '/v1/promo-codes', {
    code: 'WEB20',
    percent: 20,
    vehicles: ['van', 'truck'],
    uses_max: 1,
  })
  const customer = await server.register('customer')
  const before = await server.book(customer)
  await customer.call('POST', `/v1/bookings/${before.id}/cancel`, {})
  await signIn(page, customer, `/book/${before.id}`)
  await page.getByRole('button', { name: 'Book this again' }).click()
  await expect(page.getByRole('radio')).toHaveCount(4)

  await page.getByText('What is carried').click()
  await page.getByRole('button', { name: 'Add goods' }).click()
  await page.getByLabel('What it is').fill('Sofa')
  await page.getByLabel('Weight of one, kg').fill('70')
  await page.getByText('How to handle it').click()
  await page.getByLabel('Two people to lift').check()
  await expect(page.getByRole('radio')).toHaveCount(3)
  await expect(page.getByText('Too small or too weak for this: Bike')).toBeVisible()
  await accessible(page)

  await page.getByText('Promo code').click()
  await page.getByLabel('Code', { exact: true }).fill('WEB2')
  await page.keyboard.press('Enter')
  await expect(page.getByText('There is no such code. Look for a letter too many.')).toBeVisible()
  await accessible(page)
  await page.getByLabel('Code', { exact: true }).fill('web20')
  await page.getByRole('button', { name: 'Use code' }).click()
  await expect(page.getByText('WEB20 is taken off')).toBeVisible()
  await expect(page.getByText('The code is not for this one')).toHaveCount(1) // the car
  await accessible(page)

  await page.getByRole('radio', { name: /^Van/ }).check()
  await page.getByRole('button', { name: /Continue with Van/ }).click()
  await expect(page.getByRole('row', { name: /Discount 20/ })).toBeVisible()
  await expect(page.getByText('What is carried: Sofa')).toBeVisible()

  // Somebody else is faster: the last use is gone.
  const other = await server.register('customer')
  const stops = before.stops.map((s) => ({ lat: s.lat, lng: s.lng }))
  const quotes = await other.call<Schemas['Quotes']>('POST', '/v1/quotes', {
    stops,
    vehicle: 'van',
    promo_code: 'WEB20',
  })
  await other.call('POST', '/v1/bookings', { quote_id: quotes.quotes[0]?.id })
  await page.getByRole('button', { name: /^Book Van/ }).click()
  await expect(page.getByRole('alert')).toContainText('used as often as it may be')
  await accessible(page)
  await page.getByRole('button', { name: 'Go on without it' }).click()
  await expect(page.getByRole('row', { name: /Discount/ })).toHaveCount(0)
  await page.getByRole('button', { name: /^Book Van/ }).click()
  await page.waitForURL('**/book/bkg_*')
  const { items } = await customer.call<{ items: Schemas['Booking'][] }>('GET', '/v1/bookings?state=active')
  expect(items[0]?.goods).toEqual([{ name: 'Sofa', weight_g: 70000, handling: ['two_people'] }])
  await customer.call('POST', `/v1/bookings/${items[0]?.id}/cancel`, {})
})

test('the driver sees before and after he takes it what he is to carry', async ({ page, server }) => {
  const far = { lat: HERE.lat + 1, lng: HERE.lng } // from what other tests have left open
  const driver = await server.driver(far)
  const customer = await server.register('customer')
  await signIn(page, driver)
  const stops = [far, { lat: far.lat - 0.01, lng: far.lng }]
  const goods = [{ name: 'Sofa', weight_g: 70000, count: 2, handling: ['two_people'] }]
  const { quotes } = await customer.call<Schemas['Quotes']>('POST', '/v1/quotes', {
    stops,
    vehicle: 'van',
    goods,
  })
  const { id } = await customer.call<{ id: string }>('POST', '/v1/bookings', { quote_id: quotes[0]?.id })
  await expect(page.getByText('2 pieces · 140 kg · Two people to lift')).toBeVisible()
  await accessible(page)
  await server.accept(driver)
  await expect(page.getByRole('list', { name: 'What is carried' })).toContainText('2 × Sofa')
  await accessible(page)
  await customer.call('POST', `/v1/bookings/${id}/cancel`, {})
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})
