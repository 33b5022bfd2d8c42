/** Cash: asked for with the booking, confirmed at the door, held, and settled. A server of its own: balances are looked at. */
import {
  accessible,
  test as base,
  expect,
  HERE,
  ownServer,
  type Person,
  type Schemas,
  type Server,
  signIn,
  THERE,
} from './lorry.ts'
import { looksRight } from './pages.ts'

const test = base.extend<{ own: Server }>({
  own: ownServer(['--cash-limit', '40000'], false),
})
test.use({
  viewport: { width: 390, height: 800 },
  permissions: ['geolocation'],
  geolocation: { latitude: HERE.lat, longitude: HERE.lng, accuracy: 8 },
})
const stops = [
  { ...HERE, address: 'Drottningtorget' },
  { ...THERE, address: 'Korsvägen' },
]

async function atTheDoor(
  own: Server,
  payment: Schemas['Payment'],
  goods?: number,
): Promise<[Person, Schemas['Booking']]> {
  const customer = await own.register('customer')
  const driver = await own.driver(HERE)
  const { quotes } = await customer.call<Schemas['Quotes']>('POST', '/v1/quotes', { vehicle: 'van', stops })
  const booking = await customer.call<Schemas['Booking']>('POST', '/v1/bookings', {
    quote_id: quotes[0]?.id,
    payment,
    stops: [{}, goods === undefined ? {} : { collect: { amount: goods } }],
  })
  await own.accept(driver)
  for (const status of ['arrived_pickup', 'picked_up', 'arrived_dropoff'])
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
  return [driver, booking]
}
const balances = (driver: Person) => driver.call<Schemas['CashBalances']>('GET', '/v1/driver/cash')

test('the customer asks for cash on delivery when he books, and only in whole amounts', async ({
  page,
  own,
}) => {
  const customer = await own.register('customer')
  const { quotes } = await customer.call<Schemas['Quotes']>('POST', '/v1/quotes', { stops })
  expect(quotes.length).toBeGreaterThan(0)
  await page.addInitScript(
    (draft) => sessionStorage.setItem('lorry.draft', draft),
    JSON.stringify({
      stops: stops.map((s, i) => ({ key: `k${i}`, ...s, contactName: '', contactPhone: '' })),
      notes: '',
      payment: 'card',
      vehicle: 'van',
      when: null,
      key: crypto.randomUUID(),
    }),
  )
  await signIn(page, customer, '/book?step=review')
  const field = page.getByLabel('Collect for you on delivery (SEK)')
  await expect(field).toHaveCount(1) // not at the pickup
  await field.fill('ten')
  await expect(page.getByText('Write an amount in SEK')).toBeVisible()
  await field.fill('10000.01') // the most is said as money, not in the API's words
  await expect(field).toHaveAccessibleDescription(/^An amount of at most SEK\s10,000\.$/)
  await page.getByRole('button', { name: /^Book / }).click()
  await expect(field).toBeFocused()
  await field.fill('250,50')
  await accessible(page)
  await page.getByRole('button', { name: /^Book / }).click()
  await expect
    .poll(async () => {
      const { items } = await customer.call<{ items: Schemas['Booking'][] }>('GET', '/v1/bookings')
      return items[0]?.stops[1]?.cash?.goods
    })
    .toBe(25_050)
})

test('the driver sees large what to take, and confirms it before the goods go over', async ({
  page,
  own,
}) => {
  const [driver, booking] = await atTheDoor(own, 'card', 25_000)
  await signIn(page, driver)
  const cash = page.getByRole('region', { name: 'Collect in cash' })
  await expect(cash.getByText(/250/).first()).toBeVisible()
  const size = await cash
    .getByText(/250/)
    .first()
    .evaluate((e) => Number.parseFloat(getComputedStyle(e).fontSize))
  expect(size).toBeGreaterThanOrEqual(24)
  await expect(page.getByRole('button', { name: 'The goods are handed over' })).toHaveCount(0)
  await accessible(page)
  await cash.getByRole('button', { name: /^I have taken/ }).press('Enter')
  await expect(cash.getByRole('status')).toContainText('You have taken')
  await expect.poll(async () => (await balances(driver)).cash_held).toBe(25_000)
  await page.getByRole('button', { name: 'The goods are handed over' }).click()
  await expect
    .poll(async () => (await driver.call<Schemas['Booking']>('GET', `/v1/bookings/${booking.id}`)).state)
    .toBe('delivered')
  await page.goto(`${own.url}/drive/earnings`)
  await expect(page.getByRole('region', { name: 'Cash held' })).toContainText('Cash collected')
  await accessible(page)
})

test('less is taken with a reason, and put right before he leaves', async ({ page, own }) => {
  const [driver] = await atTheDoor(own, 'card', 25_000)
  await signIn(page, driver)
  const cash = page.getByRole('region', { name: 'Collect in cash' })
  await cash.getByRole('button', { name: 'It was less' }).click()
  const form = cash.getByRole('form', { name: 'It was less' })
  const say = form.getByRole('button', { name: 'Confirm' })
  await form.getByLabel('How much (SEK)').fill('300')
  await form.getByLabel('Why').fill('had no more')
  await expect(form.getByText(/at most/)).toBeVisible()
  await expect(say).toBeDisabled()
  await form.getByLabel('How much (SEK)').fill('100')
  await accessible(page)
  await say.click()
  await expect.poll(async () => (await balances(driver)).cash_held).toBe(10_000)
  await cash.getByRole('button', { name: 'Put it right' }).click()
  await form.getByLabel('How much (SEK)').fill('200')
  await form.getByLabel('Why').fill('counted again')
  await say.click()
  await expect.poll(async () => (await balances(driver)).cash_held).toBe(20_000)
})

test('the office takes cash in, never twice, and puts right what was wrong', async ({
  page,
  own,
  browser,
}) => {
  test.slow()
  const [driver, booking] = await atTheDoor(own, 'card', 45_000)
  await driver.call('POST', `/v1/bookings/${booking.id}/collection`, { stop: 1, amount: 45_000 })
  await expect.poll(async () => (await balances(driver)).limit_reached).toBe(true)
  const admin = await own.staff('admin')
  await page.setViewportSize({ width: 1100, height: 800 })
  await signIn(page, admin, '/admin/cash')
  await page.getByText('Ola Berg').click()
  const form = page.getByRole('form', { name: 'Record a settlement' })
  await expect(form.getByText(/Balance:/)).toContainText('450')
  await accessible(page)
  // a colleague, who has the same page open
  const other = await browser.newContext()
  const theirs = await other.newPage()
  await signIn(theirs, admin, new URL(page.url()).pathname)
  const late = theirs.getByRole('form', { name: 'Record a settlement' })
  await late.getByLabel('Amount (SEK)').fill('200')
  await form.getByLabel('Amount (SEK)').fill('200')
  await form.getByLabel('Receipt number').fill('R-17')
  await form.getByRole('button', { name: 'Record' }).press('Enter')
  await expect(page.getByText('R-17')).toBeVisible()
  await late.getByRole('button', { name: 'Record' }).click()
  await expect(theirs.getByText('The balance has changed in the meantime')).toBeVisible()
  expect((await balances(driver)).cash_held).toBe(25_000)
  await other.close()

  await page.getByRole('button', { name: 'Put right' }).click()
  const ask = page.getByRole('alertdialog')
  await ask.getByLabel('Why').fill('miscounted')
  await ask.getByRole('button', { name: 'Put right' }).click()
  await expect(page.getByText('Was put right')).toBeVisible()
  await expect.poll(async () => (await balances(driver)).cash_held).toBe(45_000)
  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Statement (CSV)' }).click()
  expect((await saved).suggestedFilename()).toMatch(/^cash-drv_.*\.csv$/)
  await accessible(page)
  for (const path of ['/admin/cash', new URL(page.url()).pathname]) await looksRight(page, path)
})
