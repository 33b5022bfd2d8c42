/** Jobs into other hands: by menu and drag, with the reasons of dispatch; several at once; what somebody else was quicker with. */
import { accessible, expect, HERE, type Person, type Schemas, type Server, signIn, test } from './lorry.ts'
import { looksRight } from './pages.ts'

// Far enough that dispatch does not ask them by itself, near enough to be chosen.
const FAR = { lat: HERE.lat + 0.4, lng: HERE.lng }
const FARTHER = { lat: HERE.lat + 0.43, lng: HERE.lng }

const row = (page: import('@playwright/test').Page, b: Schemas['Booking']) =>
  page.getByRole('option', { name: new RegExp(b.code) })
const heading = (page: import('@playwright/test').Page) => page.getByRole('heading', { level: 2 })
async function offDuty(...drivers: Person[]) {
  for (const d of drivers) await d.call('POST', '/v1/driver/duty', { duty: 'off' })
}
const now = (server: Server, customer: Person, b: Schemas['Booking']) => {
  expect(server.url).toBeTruthy()
  return customer.call<Schemas['Booking']>('GET', `/v1/bookings/${b.id}`)
}

test('who could take it, the best first and why; then another driver, with a reason', async ({
  page,
  server,
}) => {
  const staff = await server.staff('dispatcher')
  const customer = await server.register('customer')
  const ola = await server.driver(FAR, 'van', 'Ola Berg')
  const kim = await server.driver(FARTHER, 'van', 'Kim Ek')
  const booking = await server.book(customer)
  await signIn(page, staff, `/dispatch?job=${booking.id}`)
  const panel = page.getByRole('region', { name: 'Give it to' })
  const rows = panel.getByRole('listitem')
  await expect(rows.nth(0)).toContainText('1. Ola Berg')
  await expect(rows.nth(0)).toContainText('soonest at the pickup')
  await expect(rows.nth(1)).toContainText('2. Kim Ek')
  await expect(rows.nth(1)).toContainText('farther')
  await accessible(page)
  await page.getByRole('button', { name: 'Assign to Ola Berg' }).click()
  await expect(heading(page)).toContainText('On the way to the pickup')

  const other = page.getByRole('region', { name: 'Another driver' })
  const toKim = other.getByRole('button', { name: 'Assign to Kim Ek' })
  await expect(toKim).toBeDisabled()
  await other.getByLabel('Why').fill('nearer to the motorway')
  await toKim.click()
  await expect(page.getByText('Kim Ek').first()).toBeVisible()
  await expect.poll(async () => (await now(server, customer, booking)).driver?.name).toBe('Kim Ek')
  await accessible(page)
  // taken back, to be chosen by hand
  await other.getByLabel('Why').fill('he is stuck')
  await other.getByRole('button', { name: 'Take it, I choose myself' }).click()
  await expect(page.getByText('waits for your choice')).toBeVisible()
  await page.getByText('Why which driver').click()
  await expect(page.getByText('it was taken from him')).toBeVisible()
  await looksRight(page, `/dispatch?job=${booking.id}`)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await offDuty(ola, kim)
})

test('a driver is dragged onto a job, a job onto a driver, and the menu does the same', async ({
  page,
  server,
}) => {
  const staff = await server.staff('dispatcher')
  const customer = await server.register('customer')
  const drivers = [
    await server.driver(FAR, 'van', 'Ola Berg'),
    await server.driver(FARTHER, 'van', 'Kim Ek'),
    await server.driver({ lat: HERE.lat + 0.42, lng: HERE.lng }, 'van', 'Eva Lind'),
  ]
  const first = await server.book(customer)
  const second = await server.book(customer)
  const third = await server.book(customer)
  await signIn(page, staff, `/dispatch?job=${first.id}`)
  const rows = page.getByRole('region', { name: 'Give it to' }).getByRole('listitem')
  await rows.filter({ hasText: 'Kim Ek' }).dragTo(row(page, second))
  await expect(row(page, second)).toContainText('Kim Ek')
  await expect(page.getByText('Given to Kim Ek')).toBeVisible()
  await row(page, first).dragTo(rows.filter({ hasText: 'Ola Berg' }))
  await expect(row(page, first)).toContainText('Ola Berg')
  await row(page, third).click({ button: 'right' })
  await accessible(page)
  await page.getByRole('menuitem', { name: /Assign to Eva Lind/ }).click()
  await expect(row(page, third)).toContainText('Eva Lind')
  for (const b of [first, second, third]) await customer.call('POST', `/v1/bookings/${b.id}/cancel`, {})
  await offDuty(...drivers)
})

test('several jobs: Ctrl, Shift, drawn over, Ctrl+A; given and cancelled together', async ({
  page,
  server,
}) => {
  const staff = await server.staff('dispatcher')
  const customer = await server.register('customer')
  const bookings = []
  for (let n = 0; n < 4; n++) bookings.push(await server.book(customer))
  const [a, b, c, d] = bookings as [
    Schemas['Booking'],
    Schemas['Booking'],
    Schemas['Booking'],
    Schemas['Booking'],
  ]
  await signIn(page, staff, '/dispatch')
  await row(page, a).click()
  await row(page, c).click({ modifiers: ['Control'] })
  const bar = page.getByRole('region', { name: 'Chosen jobs' })
  await expect(bar).toContainText('2 jobs chosen')
  await row(page, a).click()
  await row(page, d).click({ modifiers: ['Shift'] })
  await expect(bar).toContainText('4 jobs chosen')
  await page.keyboard.press('Escape')
  await expect(bar).toHaveCount(0)
  const mark = (x: Schemas['Booking']) => row(page, x).locator('[data-mark]')
  await mark(a).hover()
  await page.mouse.down()
  await mark(b).hover()
  await mark(c).hover()
  await page.mouse.up()
  await expect(bar).toContainText('3 jobs chosen')
  await page.keyboard.press('Control+a')
  await expect(bar).toContainText('4 jobs chosen')
  await accessible(page)
  const drivers = [await server.driver(FAR, 'van', 'Ola Berg'), await server.driver(FARTHER, 'van', 'Kim Ek')]
  await bar.getByRole('button', { name: /^Give 4/ }).click()
  await expect(bar.getByText('2 done')).toBeVisible()
  for (const name of ['Ola Berg', 'Kim Ek'])
    await expect(page.getByRole('option', { name: new RegExp(name) })).toHaveCount(1)
  await bar.getByRole('button', { name: /^Cancel 4/ }).click()
  await accessible(page)
  const dialog = page.getByRole('alertdialog')
  await dialog.getByLabel('Why').fill('the depot is closed')
  await dialog.getByRole('button', { name: 'Cancel it' }).click()
  await expect(bar).toContainText('4 done')
  for (const x of bookings) expect((await now(server, customer, x)).state).toBe('cancelled')
  await bar.getByRole('button', { name: 'Choose nothing' }).click()
  await expect(bar).toHaveCount(0)
  await offDuty(...drivers)
})

test('two dispatchers give one job on: the second is told what it is now', async ({ page, server }) => {
  const staff = await server.staff('dispatcher')
  const other = await server.staff('dispatcher')
  const customer = await server.register('customer')
  const ola = await server.driver(FAR, 'van', 'Ola Berg')
  const kim = await server.driver(FARTHER, 'van', 'Kim Ek')
  const booking = await server.book(customer)
  const kimId = (await kim.call<{ id: string }>('GET', '/v1/driver')).id
  const olaId = (await ola.call<{ id: string }>('GET', '/v1/driver')).id
  await other.call('POST', `/v1/bookings/${booking.id}/assign`, { driver_id: olaId })
  await signIn(page, staff, `/dispatch?job=${booking.id}`)
  const panel = page.getByRole('region', { name: 'Another driver' })
  await panel.getByLabel('Why').fill('mine')
  // The other is quicker by so little that this page has not heard of it.
  await page.route('**/unassign', async (route) => {
    await other.call('POST', `/v1/bookings/${booking.id}/assign`, { driver_id: kimId, reason: 'nearer' })
    await expect.poll(async () => (await now(server, customer, booking)).driver?.id).toBe(kimId)
    await route.continue()
  })
  await panel.getByRole('button', { name: 'Take it from the driver, look for another' }).click()
  const told = panel.getByRole('alert')
  await expect(told).toContainText('It has changed in the meantime')
  await expect(told).toContainText('Kim Ek')
  await accessible(page)
  expect((await now(server, customer, booking)).driver?.id).toBe(kimId)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await offDuty(ola, kim)
})
