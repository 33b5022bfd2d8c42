/** What docs/screens shows: a small city of the test's own, and every page of the app with what is to be done before its picture. */
import type { Page } from '@playwright/test'
import { expect, HERE, type Person, type Schemas, type Server, THERE } from './lorry.ts'

export const ON_HIS_WAY = { lat: 57.7062, lng: 11.9701 }
const AT_THE_DOOR = THERE

export type City = {
  server: Server
  admin: Person
  dispatcher: Person
  customer: Person
  driver: Person
  asked: Person // a driver who is free
  handing: Person // a driver at a door where a proof is wanted
  resting: Person // a driver off duty
  live: Schemas['Booking']
  done: Schemas['Booking']
  waits: Schemas['Booking'] // nobody has it
}
export type Who = 'customer' | 'driver' | 'asked' | 'handing' | 'resting' | 'dispatcher' | 'admin'
export const everybody: (Who | null)[] = [
  null,
  'customer',
  'driver',
  'asked',
  'handing',
  'resting',
  'dispatcher',
  'admin',
]
/** A driver is named after his account. */
const driverId = (of: Person) => of.session.user.id.replace(/^usr_/, 'drv_')

export type Shot = {
  name: string
  title: string
  path: string
  who: Who | null
  /** Before the page is opened. */
  before?: (page: Page) => Promise<unknown>
  /** On the page, before the picture. */
  act?: (page: Page) => Promise<unknown>
}

const steps = ['arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered']
async function advance(driver: Person, booking: Schemas['Booking'], to: string): Promise<void> {
  for (const status of steps.slice(0, steps.indexOf(to) + 1))
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
}

/** What an administrator has set up. */
async function furnish(admin: Person, customer: Person): Promise<void> {
  await admin.call('POST', '/v1/api-keys', {
    name: "The shop's till",
    scopes: ['bookings:read', 'bookings:write'],
  })
  await admin.call('POST', '/v1/webhooks', {
    url: 'https://shop.example.com/lorry',
    description: 'The shop',
    events: ['booking.delivered'],
  })
  const {
    version: _,
    next_cursor: __,
    effective_at: ___,
    created_at: ____,
    ...tariffs
  } = await admin.call<Record<string, unknown>>('GET', '/v1/tariffs')
  await admin.call('PUT', '/v1/tariffs', {
    ...tariffs,
    timezone: 'Europe/Stockholm',
    night: { from: '22:00', to: '06:00', add_percent: 25 },
    taxes: [{ name: 'VAT', rate_bp: 2500 }],
    note: 'Nights cost more',
  })
  await admin.call('PATCH', `/v1/users/${customer.session.user.id}`, { role: 'customer' })
}

/** Somebody of each office, and bookings in several states. */
export async function settle(server: Server): Promise<City> {
  const [admin, dispatcher] = [await server.staff('admin'), await server.staff('dispatcher')]
  const customer = await server.register('customer', 'Asha Rao')
  const driver = await server.driver(HERE, 'van', 'Ola Berg')
  const done = await server.book(customer, { name: 'Karin Ek', phone: '+46701234567' })
  await server.accept(driver)
  await advance(driver, done, 'delivered')
  await customer.call('POST', `/v1/bookings/${done.id}/rating`, { stars: 5, comment: 'Quick and kind' })
  const live = await server.book(customer, { name: 'Karin Ek', phone: '+46701234567' })
  await server.accept(driver)
  await server.move(driver, ON_HIS_WAY)
  const handing = await server.driver(HERE, 'van', 'Vera Lind')
  const parcel = await withProof(await server.register('customer', 'Lena Holm'))
  await server.accept(handing)
  await advance(handing, parcel, 'arrived_dropoff')
  for (const [name, at] of [
    ['Nils Alm', { lat: 57.714, lng: 11.99 }],
    ['Siv Dahl', { lat: 57.69, lng: 11.97 }],
  ] as const)
    await server.driver(at, 'truck', name)
  let waits = live
  for (let i = 0; i < 3; i++)
    waits = await server.book(await server.register('customer', `Customer ${i + 1}`))
  const resting = await server.driver(HERE, 'bike', 'Per Ohm')
  await resting.call('POST', '/v1/driver/duty', { duty: 'off' })
  const asked = await server.register('driver', 'Ulf Sten')
  await asked.call('PUT', '/v1/driver', {
    vehicle: { class: 'car', plate: 'MNO345', capacity_kg: 1200 },
  })
  await asked.call('POST', '/v1/driver/duty', { duty: 'on' })
  await furnish(admin, customer)
  return { server, admin, dispatcher, customer, driver, asked, handing, resting, live, done, waits }
}

async function book(
  customer: Person,
  vehicle: Schemas['Vehicle'],
  stops: Record<string, unknown>[],
): Promise<Schemas['Booking']> {
  const at = [
    { ...HERE, address: 'Drottningtorget' },
    { ...THERE, address: 'Korsvägen' },
  ]
  const { quotes } = await customer.call<Schemas['Quotes']>('POST', '/v1/quotes', { vehicle, stops: at })
  return customer.call('POST', '/v1/bookings', { quote_id: quotes[0]?.id, stops })
}
const withProof = (customer: Person) => book(customer, 'van', [{}, { proof: ['signature', 'name'] }])

/** As it stands in the browser while somebody puts a booking together. */
const draft = (page: Page) =>
  page.evaluate(
    ([from, to]) => {
      const stop = (at: object, address: string, contactName: string) => ({
        key: crypto.randomUUID(),
        ...at,
        address,
        contactName,
        contactPhone: '',
      })
      const stops = [stop(from as object, 'Drottningtorget', ''), stop(to as object, 'Korsvägen', 'Karin Ek')]
      const vehicle = 'van'
      sessionStorage.setItem('lorry.draft', JSON.stringify({ stops, vehicle, notes: 'Ring twice' }))
    },
    [HERE, THERE],
  )
const press = (name: string | RegExp) => (page: Page) => page.getByRole('button', { name }).first().click()

const customers = ({ live, done }: City): Omit<Shot, 'who'>[] => [
  { name: 'book', title: 'Book: where', path: '/book' },
  { name: 'book-vehicle', title: 'Book: which vehicle', path: '/book?step=vehicle', before: draft },
  { name: 'book-review', title: 'Book: is all of it right', path: '/book?step=review', before: draft },
  { name: 'booking', title: 'A booking under way', path: `/book/${live.id}` },
  { name: 'booking-stops', title: 'Other stops', path: `/book/${live.id}`, act: press('Change stops') },
  {
    name: 'booking-cancel',
    title: 'Cancel, and what it costs',
    path: `/book/${live.id}`,
    act: press('Cancel the booking'),
  },
  { name: 'receipt', title: 'A receipt', path: `/book/${done.id}` },
  { name: 'history', title: "A customer's bookings", path: '/book/history' },
]
const drivers: Omit<Shot, 'who'>[] = [
  { name: 'drive', title: 'Drive: a job', path: '/drive' },
  { name: 'earnings', title: 'Earnings', path: '/drive/earnings' },
  { name: 'drive-history', title: "A driver's jobs", path: '/drive/history' },
  { name: 'papers', title: 'Papers and vehicles', path: '/drive/papers' },
]
const dispatchers = ({ live, waits, driver }: City): Omit<Shot, 'who'>[] => [
  { name: 'dispatch', title: 'Dispatch: a job', path: `/dispatch?job=${live.id}` },
  { name: 'dispatch-assign', title: 'Dispatch: who could take it', path: `/dispatch?job=${waits.id}` },
  { name: 'dispatch-vehicles', title: 'Dispatch: vehicles', path: '/dispatch?list=vehicles' },
  {
    name: 'dispatch-vehicle',
    title: 'Dispatch: a vehicle',
    path: `/dispatch?list=vehicles&vehicle=${driverId(driver)}`,
  },
  { name: 'dispatch-alerts', title: 'Dispatch: alerts', path: '/dispatch?list=alerts' },
  {
    name: 'palette',
    title: 'Dispatch: the palette',
    path: '/dispatch',
    act: (p) => p.keyboard.press('Control+k'),
  },
]
const admins = ({ driver, customer }: City): Omit<Shot, 'who'>[] => [
  { name: 'tariffs-new', title: 'Tariffs: the next version', path: '/admin/tariffs/new' },
  { name: 'tariffs-compare', title: 'Tariffs compared', path: '/admin/tariffs/2?with=1' },
  { name: 'area-edit', title: 'The service area on the map', path: '/admin/area/edit' },
  { name: 'driver', title: 'One driver', path: `/admin/drivers/${driverId(driver)}` },
  { name: 'account', title: 'One account', path: `/admin/accounts/${customer.session.user.id}` },
]

/** What a bar of links leads to: whatever is added there is in the pictures. */
async function listed(page: Page, who: Who, path: string, bar: string): Promise<Shot[]> {
  await page.goto(new URL(path, page.url()).href)
  const links = page.getByRole('navigation', { name: bar }).getByRole('link')
  await expect(links.first()).toBeVisible()
  const found: Shot[] = []
  for (const link of await links.all()) {
    const to = (await link.getAttribute('href')) as string
    found.push({
      name: to.slice(1).replaceAll('/', '-'),
      title: `${bar}: ${await link.textContent()}`,
      path: to,
      who,
    })
  }
  return found
}
export const accountShots = (page: Page) => listed(page, 'customer', '/account', 'Account')
export const adminShots = (page: Page) => listed(page, 'admin', '/admin', 'Administration')

export function shotsOf(city: City, empty: Server): Shot[] {
  const of = (who: Who | null, shots: Omit<Shot, 'who'>[]) => shots.map((shot) => ({ ...shot, who }))
  const { server, asked } = city
  const ask = async () => {
    await server.move(asked, HERE)
    await book(await server.register('customer', 'Lena Holm'), 'car', [{}, {}])
  }
  return [
    ...of(null, [
      { name: 'setup', title: 'The first start', path: `${empty.url}/setup` },
      { name: 'sign-in', title: 'Sign in', path: '/sign-in' },
      { name: 'register', title: 'Make an account', path: '/register' },
      { name: 'reset-password', title: 'A new password', path: '/reset-password' },
      { name: 'track', title: 'Follow by link', path: `/track/${city.live.tracking_token}` },
      { name: 'track-done', title: 'Delivered, by link', path: `/track/${city.done.tracking_token}` },
      { name: 'docs', title: 'API reference', path: '/docs' },
      { name: 'not-found', title: 'No such page', path: '/no-such-page' },
    ]),
    ...of('customer', customers(city)),
    ...of('driver', drivers),
    ...of('asked', [
      {
        name: 'drive-offer',
        title: 'Drive: an offer',
        path: '/drive',
        act: async (page) => {
          await ask() // once the page is there: an offer stands for twenty seconds only
          await page.getByRole('alertdialog').waitFor({ timeout: 15_000 })
        },
      },
    ]),
    ...of('handing', [{ name: 'drive-proof', title: 'Drive: proof of delivery', path: '/drive' }]),
    ...of('resting', [{ name: 'drive-off', title: 'Drive: off duty', path: '/drive' }]),
    ...of('dispatcher', dispatchers(city)),
    ...of('admin', admins(city)),
  ]
}

/** Fixes that are fresh: no picture says how old a place is. */
export async function onTheRoad({ server, driver, handing }: City): Promise<void> {
  await server.move(driver, ON_HIS_WAY)
  await server.move(handing, AT_THE_DOOR)
}
