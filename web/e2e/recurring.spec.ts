/** Trips that recur: made where one books for later; what waits for a yes; skipping, pausing, ending. */
import { accessible, test as base, expect, ownServer, type Person, type Server, signIn } from './lorry.ts'
import { looksRight } from './pages.ts'

const test = base.extend<{ house: Server }>({
  house: ownServer([], true, async (server) => {
    const admin = await server.staff('admin')
    await admin.call('PUT', '/v1/tariffs', {
      currency: 'SEK',
      items: [{ vehicle: 'van', base: 10000, per_km: 0, per_minute: 0, minimum: 0 }],
    })
  }),
})
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
const stops = [
  { lat: 57.7089, lng: 11.9746, address: 'Drottningtorget' },
  { lat: 57.6969, lng: 11.9865, address: 'Korsvägen' },
]
const everyDay = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
type Page = { items: { made_by?: string; state: string }[] }
const bookings = async (customer: Person) => (await customer.call<Page>('GET', '/v1/bookings')).items.length

test('a trip for later is repeated; a day that costs more waits for a yes; the rest is up to its customer', async ({
  page,
  house,
}) => {
  const customer = await house.register('customer')
  await signIn(page, customer)
  await page.goto(`${house.url}/book`)
  await page.evaluate(
    ([places, day]) => {
      const draft = {
        stops: places.map((place) => ({
          ...place,
          key: place.address,
          contactName: '',
          contactPhone: '',
        })),
        notes: '',
        payment: 'card',
        vehicle: 'van',
        when: { day, from: '12:00', to: '14:00' },
        key: crypto.randomUUID(),
      }
      sessionStorage.setItem('lorry.draft', JSON.stringify(draft))
    },
    [stops, inDays(3)] as const,
  )
  await page.goto(`${house.url}/book?step=review`)
  await page.getByLabel('Note for this stop').first().fill('Dock 2')
  await page.getByRole('button', { name: 'Repeat this trip' }).click()
  const form = page.getByRole('region', { name: 'Repeat this trip' })
  await expect(form.getByRole('checkbox', { checked: true })).toHaveCount(1) // the day that was chosen
  for (const box of await form.getByRole('checkbox').all()) await box.check()
  await form.getByLabel('Ask me if it costs more than').fill('a lot')
  await expect(form.getByText('This is not an amount')).toBeVisible()
  await expect(form.getByRole('button', { name: 'Repeat' })).toBeDisabled()
  await form.getByLabel('Ask me if it costs more than').fill('50')
  await accessible(page)
  await form.getByRole('button', { name: 'Repeat' }).click()

  await expect(page).toHaveURL(/\/account\/recurring$/)
  const trip = page.getByRole('list', { name: 'Recurring bookings' }).getByRole('listitem').first()
  await expect(trip).toContainText('Drottningtorget → Korsvägen')
  const days = trip.getByRole('list', { name: 'Days ahead' }).getByRole('listitem')
  await expect(days.first()).toContainText('waits for your yes · it costs more than you allow')
  await expect(days.first()).toContainText('100')
  expect(await bookings(customer)).toBe(0)
  await days.first().getByRole('button', { name: 'Yes, book' }).click()
  await expect(days.first()).toContainText('booked')
  await expect(days.first().getByRole('link', { name: 'Open the booking' })).toBeVisible()
  await expect.poll(() => bookings(customer)).toBe(1)
  const waiting = trip.getByRole('button', { name: 'Yes, book' })
  const before = await waiting.count()
  await days.nth(1).getByRole('button', { name: 'Not on' }).click()
  await expect(waiting).toHaveCount(before - 1)

  await trip.getByText('Stops and notes').click()
  const places = trip.getByRole('list', { name: 'Stops and notes' })
  await expect(places.getByText('Dock 2')).toBeVisible() // as it was said when it was booked
  await places.getByRole('button', { name: 'Change the note: Drottningtorget' }).click()
  await places.getByLabel('Note for this stop').fill('Dock 3')
  await accessible(page)
  await places.getByRole('button', { name: 'Save the note' }).click()
  await expect(places.getByText('Dock 3')).toBeVisible()
  type Rules = { items: { stops: { note?: string; address?: string }[] }[] }
  const rule = (await customer.call<Rules>('GET', '/v1/recurrences')).items[0]
  expect(rule?.stops.map((s) => [s.address, s.note])).toEqual([
    ['Drottningtorget', 'Dock 3'],
    ['Korsvägen', undefined],
  ])

  await trip.getByRole('button', { name: 'Skip' }).click()
  await expect(days.last()).toContainText('skipped')
  await days.last().getByRole('button', { name: 'After all' }).click()
  await expect(trip.getByText('skipped')).toHaveCount(0)
  await trip.getByRole('button', { name: 'Pause' }).click()
  await expect(trip).toContainText('Paused')
  await trip.getByRole('button', { name: 'Resume' }).click()
  await expect(trip).toContainText('Active')
  await accessible(page)
  await trip.getByRole('button', { name: 'End' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'End' }).click()
  await expect(trip).toContainText('Ended')
  expect(await bookings(customer)).toBe(1)
})

test('the list on a phone, in each language', async ({ page, house }) => {
  const customer = await house.register('customer')
  await signIn(page, customer)
  const rule = { stops, vehicle: 'van', weekdays: everyDay, pickup: { from: '12:00', to: '14:00' } }
  await customer.call('POST', '/v1/recurrences', { ...rule, starts_on: inDays(2), name: 'Bread' })
  await customer.call('POST', '/v1/recurrences', { ...rule, starts_on: inDays(2), price_max: 1 })
  await looksRight(page, '/account/recurring')
})
