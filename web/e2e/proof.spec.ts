import type { Page } from '@playwright/test'
import {
  accessible,
  expect,
  HERE,
  type Person,
  type Schemas,
  type Server,
  signIn,
  THERE,
  test,
} from './lorry.ts'

test.use({
  viewport: { width: 390, height: 800 },
  permissions: ['geolocation'],
  geolocation: { latitude: HERE.lat, longitude: HERE.lng, accuracy: 8 },
})
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
const heading = (page: Page) => page.getByRole('heading', { level: 1 })
const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==',
  'base64',
)
type Pins = { items: { stop: number; pin: string; tracking_token: string }[] }

let before: Person | undefined // the driver of the test before

/** A booking whose drop-off asks for PROOF, and its driver, who is signed in on PAGE and has arrived there. */
async function atTheDoor(
  page: Page,
  server: Server,
  proof: Schemas['ProofKind'][],
): Promise<[Person, Schemas['Booking']]> {
  const customer = await server.register('customer')
  await before?.call('POST', '/v1/driver/duty', { duty: 'off' }).catch(() => null) // no offer goes to him, nor if he is busy
  const driver = await server.driver(HERE)
  before = driver
  const stops = [
    { ...HERE, address: 'Drottningtorget' },
    { ...THERE, address: 'Korsvägen' },
  ]
  const { quotes } = await customer.call<Schemas['Quotes']>('POST', '/v1/quotes', { vehicle: 'van', stops })
  const booking = await customer.call<Schemas['Booking']>('POST', '/v1/bookings', {
    quote_id: quotes[0]?.id,
    stops: [{}, { proof }],
  })
  await server.accept(driver)
  for (const status of ['arrived_pickup', 'picked_up', 'arrived_dropoff'])
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
  await signIn(page, driver)
  await expect(heading(page)).toContainText('At the drop-off')
  return [customer, booking]
}
const now = (customer: Person, id: string) => customer.call<Schemas['Booking']>('GET', `/v1/bookings/${id}`)

test('a stop is done once all that it asks for has been shown: PIN, name, photo, signature; then its customer sees it', async ({
  page,
  server,
  browser,
}) => {
  const [customer, booking] = await atTheDoor(page, server, ['pin', 'photo', 'signature', 'name'])
  const { items } = await customer.call<Pins>('GET', `/v1/bookings/${booking.id}/pins`)
  const { pin = '', tracking_token = '' } = items[0] ?? {}
  const other = await browser.newContext({ viewport: { width: 390, height: 800 } })
  const theirs = await other.newPage()
  await theirs.goto(`${server.url}/track/${tracking_token}`)
  await expect(theirs.getByText(`PIN: ${pin}`)).toBeVisible()
  await accessible(theirs)

  await expect(button(page, 'The goods are handed over')).toHaveCount(0)
  const form = page.getByRole('form', { name: 'Before this stop is done' })
  await accessible(page)
  const save = form.getByRole('button', { name: 'Save the proof' })
  await form.getByLabel('PIN of the recipient').fill(`${pin}`)
  await form.getByLabel('Who takes the goods').fill('Bo Ek')
  await expect(save).toBeDisabled()
  await form
    .getByLabel('Take a photo')
    .setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: PICTURE })
  await expect(form.getByText(/Photo taken, 1.kB/)).toBeVisible()
  await form.getByLabel('Or type the name').fill('Bo Ek') // with the keyboard alone
  await save.press('Enter')
  await expect(button(page, 'The goods are handed over')).toBeVisible()
  await expect.poll(async () => (await now(customer, booking.id)).stops[1]?.proof?.missing).toEqual([])
  await button(page, 'The goods are handed over').click()
  await expect.poll(async () => (await now(customer, booking.id)).state).toBe('delivered')

  await expect(theirs.getByText(/Taken by Bo Ek/)).toBeVisible({ timeout: 15_000 })
  await expect(theirs.getByText(`PIN: ${pin}`)).toHaveCount(0)
  const shown = theirs.getByRole('img', { name: 'Photo of the delivery' })
  await shown.scrollIntoViewIfNeeded()
  await expect.poll(() => shown.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0)
  await accessible(theirs)
  await signIn(theirs, customer)
  await theirs.goto(`${server.url}/book/${booking.id}`)
  await expect(theirs.getByText(/Taken by Bo Ek/)).toBeVisible()
  await accessible(theirs)
  await other.close()
})

test('proof that is given without a network is kept, pictures and all, and sent once and in order', async ({
  page,
  server,
  context,
}) => {
  const [customer, booking] = await atTheDoor(page, server, ['photo', 'signature'])
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  const sent: string[] = []
  // What the server answered: a try without a network has no answer.
  page.on('response', (response) => {
    const { pathname } = new URL(response.url())
    if (response.request().method() === 'POST' && /files|proof|status/.test(pathname))
      sent.push(pathname.replace(/.*\//, ''))
  })
  await context.setOffline(true)
  const form = page.getByRole('form', { name: 'Before this stop is done' })
  await form
    .getByLabel('Take a photo')
    .setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: PICTURE })
  const paper = await form.getByRole('img').boundingBox()
  if (paper === null) throw new Error('nothing to sign on')
  await page.mouse.move(paper.x + 20, paper.y + 20)
  await page.mouse.down()
  await page.mouse.move(paper.x + 120, paper.y + 40, { steps: 5 })
  await page.mouse.up()
  await expect(form.getByRole('img', { name: 'Signed' })).toBeVisible()
  await form.getByRole('button', { name: 'Save the proof' }).click()
  await button(page, 'The goods are handed over').click()
  await expect(page.getByText(/2 steps are kept here/)).toBeVisible()
  expect((await now(customer, booking.id)).state).toBe('arrived_dropoff')
  expect(sent).toEqual([])
  await context.setOffline(false)
  await expect.poll(async () => (await now(customer, booking.id)).state).toBe('delivered')
  await expect.poll(() => sent).toEqual(['files', 'files', 'proof', 'status'])
  expect((await now(customer, booking.id)).stops[1]?.proof?.given?.photo).toBeDefined()
})

test('a wrong PIN is told, and the stop is still to be proven', async ({ page, server }) => {
  const [customer, booking] = await atTheDoor(page, server, ['pin'])
  const { items } = await customer.call<Pins>('GET', `/v1/bookings/${booking.id}/pins`)
  const pin = items[0]?.pin ?? ''
  const form = page.getByRole('form', { name: 'Before this stop is done' })
  await form.getByLabel('PIN of the recipient').fill(pin === '0000' ? '0001' : '0000')
  await form.getByRole('button', { name: 'Save the proof' }).click()
  await expect(page.getByText(/“The proof of delivery” was not taken/)).toBeVisible()
  await form.getByLabel('PIN of the recipient').fill(pin)
  await form.getByRole('button', { name: 'Save the proof' }).click()
  await expect(button(page, 'The goods are handed over')).toBeVisible()
  await expect.poll(async () => (await now(customer, booking.id)).stops[1]?.proof?.missing).toEqual([])
})

test('what cannot be delivered is shown with a photo beside its reason', async ({ page, server }) => {
  const [customer, booking] = await atTheDoor(page, server, ['pin'])
  await button(page, 'It cannot be done').click()
  const dialog = page.getByRole('alertdialog')
  await dialog.getByRole('radio').first().check()
  await dialog
    .getByLabel('Take a photo')
    .setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: PICTURE })
  await expect(dialog.getByText(/Photo taken/)).toBeVisible()
  await accessible(page)
  await dialog.getByRole('button').last().click()
  await expect.poll(async () => (await now(customer, booking.id)).state).toBe('failed')
  expect((await now(customer, booking.id)).stops[1]?.proof?.given?.photo).toBeDefined()
})
