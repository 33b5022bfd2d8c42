/** What comes next: a driver who is about to finish is asked for it, everybody is told, and he goes on with it. Servers of
 * their own: nobody is asked so without the option. */
import type { Page } from '@playwright/test'
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

const test = base.extend<{ own: Server }>({
  own: ownServer(['--chain-eta-s', '900'], false),
})
const NEAR_THERE = { lat: THERE.lat + 0.002, lng: THERE.lng }
test.use({
  viewport: { width: 390, height: 800 },
  permissions: ['geolocation'],
  geolocation: { latitude: NEAR_THERE.lat, longitude: NEAR_THERE.lng, accuracy: 8 },
})
const heading = (page: Page) => page.getByRole('heading', { level: 1 })
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
const read = (who: Person, id: string) => who.call<Schemas['Booking']>('GET', `/v1/bookings/${id}`)

/** From Korsvägen to Drottningtorget: it begins where the other one ends. */
async function bookBack(own: Server): Promise<[Person, Schemas['Booking']]> {
  const customer = await own.register('customer', 'Bo Ek')
  const back = [
    { ...THERE, address: 'Liseberg' },
    { ...HERE, address: 'Brunnsparken' },
  ]
  return [customer, await own.book(customer, undefined, back)]
}

/** A driver who has the goods of FIRST and is near where they go. */
async function nearlyDone(own: Server): Promise<[Person, Schemas['Booking']]> {
  const customer = await own.register('customer')
  const driver = await own.driver(NEAR_THERE)
  const first = await own.book(customer)
  await own.accept(driver)
  for (const status of ['arrived_pickup', 'picked_up'])
    await driver.call('POST', `/v1/bookings/${first.id}/status`, { status, stop: 0 })
  await expect // it is known when he will be there
    .poll(async () => {
      await own.move(driver, NEAR_THERE)
      return (await read(customer, first.id)).stops[1]?.eta_from
    })
    .toBeDefined()
  return [driver, first]
}

async function accept(page: Page): Promise<void> {
  const sheet = page.getByRole('alertdialog', { name: /Next job/ })
  await expect(sheet).toContainText('from where this job ends')
  await accessible(page)
  await sheet.getByRole('button', { name: 'Slide to accept' }).press('Enter')
  await page.waitForTimeout(500)
  await sheet.getByRole('button', { name: 'Press again to accept' }).press('Enter')
  await expect(sheet).toHaveCount(0)
}

test('he takes it, everybody sees that he finishes another job first, and he goes on', async ({
  page,
  own,
  browser,
}) => {
  const [driver, first] = await nearlyDone(own)
  await signIn(page, driver)
  await expect(heading(page)).toContainText('Drive to the drop-off')
  const [customer, second] = await bookBack(own)
  await accept(page)
  const next = page.getByRole('region', { name: /Next job/ })
  await expect(next).toContainText('Liseberg')
  await expect(next).toContainText('When this job is done, about')
  await expect(heading(page)).toContainText('Drive to the drop-off') // still the first
  await accessible(page)

  const context = await browser.newContext({ viewport: { width: 390, height: 800 } })
  const [home, link] = [await context.newPage(), await context.newPage()]
  await signIn(home, customer, `/book/${second.id}`)
  await expect(heading(home)).toContainText('The driver finishes another job first')
  await expect(home.getByText('is finishing another job nearby')).toBeVisible()
  await accessible(home)
  await link.goto(`${own.url}/track/${second.tracking_token}`)
  await expect(heading(link)).toContainText('The driver finishes another job first')
  await expect(link.getByText('is finishing another job nearby')).toBeVisible()
  await accessible(link)
  const tracking = await fetch(`${own.url}/v1/track/${second.tracking_token}`).then((a) => a.json())
  expect(tracking.position).toBeNull() // where he is meanwhile is the first one's

  const desk = await browser.newContext({ viewport: { width: 1440, height: 900 } })
  const console_ = await desk.newPage()
  await signIn(console_, await own.staff('dispatcher'), `/dispatch?job=${second.id}`)
  await expect(console_.getByText(/finishes another job first, until about/)).toBeVisible()
  await console_.getByText('Why which driver').click()
  await expect(console_.getByText(/finishes another job in .*; soonest at the pickup/)).toBeVisible()
  await accessible(console_)
  await desk.close()

  await button(page, 'I am at the drop-off').click()
  await page.waitForTimeout(850)
  await button(page, 'The goods are handed over').click()
  await expect(heading(page)).toContainText('Drive to the pickup')
  await expect(page.getByText(`Job ${first.code} is delivered. Go on with the next one.`)).toBeVisible()
  await expect(page.getByText('Liseberg').first()).toBeVisible()
  await expect(next).toHaveCount(0)
  await accessible(page)
  await expect(heading(home)).toContainText('On the way to the pickup')
  await expect(home.getByText('is finishing another job nearby')).toHaveCount(0)
  await expect(heading(link)).toContainText('On the way to the pickup')
  await home.getByText('What has happened').click()
  await expect(home.getByText('The driver has finished another job and is on the way')).toBeVisible()
  await button(page, 'I am at the pickup').click()
  await expect.poll(async () => (await read(customer, second.id)).state).toBe('arrived_pickup')
  await context.close()
})

test('he gives it back, and what he carries stays', async ({ page, own }) => {
  const [driver] = await nearlyDone(own)
  await signIn(page, driver)
  await expect(heading(page)).toContainText('Drive to the drop-off')
  const [customer, second] = await bookBack(own)
  await accept(page)
  const next = page.getByRole('region', { name: /Next job/ })
  await next.getByRole('button', { name: 'Give the job back' }).click()
  const dialog = page.getByRole('alertdialog')
  await dialog.getByLabel('Why').fill('Too far')
  await dialog.getByRole('button', { name: 'Give it back' }).click()
  await expect(next).toHaveCount(0)
  await expect(heading(page)).toContainText('Drive to the drop-off')
  await expect.poll(async () => (await read(customer, second.id)).driver).toBeNull()
})

test('its customer cancels it: he is told, and goes on with what he carries', async ({ page, own }) => {
  const [driver] = await nearlyDone(own)
  await signIn(page, driver)
  const [customer, second] = await bookBack(own)
  await accept(page)
  await customer.call('POST', `/v1/bookings/${second.id}/cancel`, {})
  await expect(page.getByText(`Your next job, ${second.code}, was cancelled.`)).toBeVisible()
  await expect(page.getByRole('region', { name: /Next job/ })).toHaveCount(0)
  await expect(heading(page)).toContainText('Drive to the drop-off')
})

test('without a network he goes on, and the server hears of it in order', async ({ page, own, context }) => {
  const [driver, first] = await nearlyDone(own)
  await signIn(page, driver)
  const [customer, second] = await bookBack(own)
  await accept(page)
  await expect(page.getByRole('region', { name: /Next job/ })).toBeVisible()
  await context.setOffline(true)
  for (const step of ['I am at the drop-off', 'The goods are handed over', 'I am at the pickup']) {
    await button(page, step).click()
    await page.waitForTimeout(850)
  }
  await expect(heading(page)).toContainText('At the pickup')
  await expect(page.getByText(/^◌ 3 steps are kept here/)).toBeVisible()
  await context.setOffline(false)
  await expect
    .poll(async () => (await read(customer, second.id)).state, { timeout: 20_000 })
    .toBe('arrived_pickup')
  await expect(page.getByText(/steps? (is|are) kept here/)).toHaveCount(0)
  await expect(page.getByRole('alert')).toHaveCount(0) // nothing was refused
  expect((await read(driver, first.id)).state).toBe('delivered')
})

test('it is said in every language', async ({ own, browser }) => {
  const [driver] = await nearlyDone(own)
  const [, second] = await bookBack(own)
  await own.accept(driver)
  const said = {
    'sv-SE': 'avslutar ett annat uppdrag i närheten',
    'hi-IN': 'पास में एक और काम पूरा कर रहा है',
    ar: 'يُنهي مهمة أخرى قريبة',
  }
  for (const [locale, words] of Object.entries(said)) {
    const context = await browser.newContext({ locale, viewport: { width: 320, height: 640 } })
    const page = await context.newPage()
    await page.goto(`${own.url}/track/${second.tracking_token}`)
    await expect(page.getByText(words)).toBeVisible()
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320)
    await accessible(page)
    await context.close()
  }
})
