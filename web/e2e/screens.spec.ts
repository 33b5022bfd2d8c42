/** Pictures of every page for docs/screens, light and dark, on a phone and at a desk: `npm run screens`. What they show is a small
 * city of this test's own, so that they can be made anew at any time; SCREENS=phone-dark makes a part of them. */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Browser, BrowserContext, Page } from '@playwright/test'
import { expect, HERE, type Person, type Server, signIn, test } from './lorry.ts'

const folder = resolve(import.meta.dirname, '../../docs/screens')
const BYTES_MAX = 6_000_000
const sizes = { phone: { width: 390, height: 844 }, desk: { width: 1440, height: 900 } } as const
const schemes = ['light', 'dark'] as const
const ON_HIS_WAY = { lat: 57.7062, lng: 11.9701 }

const wanted = (part: string) => ['1', part].includes(process.env.SCREENS ?? '')

type Shot = { name: string; title: string; path: string; who: keyof City | null }
type City = { customer: Person; driver: Person; dispatcher: Person; admin: Person }

test.describe.configure({ timeout: 900_000 })

/** Somebody of each office, and bookings in several states. */
async function settle(server: Server): Promise<{ city: City; booking: string; track: string }> {
  const [admin, dispatcher] = [await server.staff('admin'), await server.staff('dispatcher')]
  const customer = await server.register('customer', 'Asha Rao')
  const driver = await server.driver(HERE, 'van', 'Ola Berg')
  const booking = await server.book(customer, { name: 'Karin Ek', phone: '+46701234567' })
  await server.accept(driver)
  await server.move(driver, ON_HIS_WAY)
  for (const [name, at] of [
    ['Vera Lind', { lat: 57.699, lng: 11.95 }],
    ['Nils Alm', { lat: 57.714, lng: 11.99 }],
    ['Siv Dahl', { lat: 57.69, lng: 11.97 }],
  ] as const)
    await server.driver(at, 'truck', name)
  for (let i = 0; i < 3; i++) await server.book(await server.register('customer', `Customer ${i + 1}`))
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
  return {
    city: { admin, dispatcher, customer, driver },
    booking: booking.id,
    track: `/track/${booking.tracking_token}`,
  }
}

/** All pages: those that are named here, and what the administration lists. */
async function pagesOf(page: Page, booking: string, track: string): Promise<Shot[]> {
  const shots: Shot[] = [
    { name: 'sign-in', title: 'Sign in', path: '/sign-in', who: null },
    { name: 'register', title: 'Make an account', path: '/register', who: null },
    { name: 'book', title: 'Book', path: '/book', who: 'customer' },
    { name: 'booking', title: 'A booking under way', path: `/book/${booking}`, who: 'customer' },
    { name: 'history', title: "A customer's bookings", path: '/book/history', who: 'customer' },
    { name: 'track', title: 'Follow by link', path: track, who: null },
    { name: 'drive', title: 'Drive', path: '/drive', who: 'driver' as const },
    { name: 'earnings', title: 'Earnings', path: '/drive/earnings', who: 'driver' as const },
    { name: 'dispatch', title: 'Dispatch', path: `/dispatch?job=${booking}`, who: 'dispatcher' as const },
    {
      name: 'tariffs-new',
      title: 'Tariffs: the next version',
      path: '/admin/tariffs/new',
      who: 'admin' as const,
    },
    {
      name: 'tariffs-compare',
      title: 'Tariffs compared',
      path: '/admin/tariffs/2?with=1',
      who: 'admin' as const,
    },
    { name: 'account-profile', title: 'Own profile', path: '/account/profile', who: 'customer' as const },
    {
      name: 'account-security',
      title: 'Sign-in and security',
      path: '/account/security',
      who: 'customer' as const,
    },
    { name: 'account-told', title: 'Notifications', path: '/account/told', who: 'customer' as const },
    { name: 'account-data', title: 'Own data', path: '/account/data', who: 'customer' as const },
    { name: 'docs', title: 'API reference', path: '/docs', who: null },
  ]
  await page.goto(new URL('/admin', page.url()).href)
  const nav = page.getByRole('navigation', { name: 'Administration' })
  await expect(nav.getByRole('link').first()).toBeVisible()
  for (const link of await nav.getByRole('link').all()) {
    const path = (await link.getAttribute('href')) as string
    const title = `Administration: ${await link.textContent()}`
    shots.push({ name: path.slice(1).replaceAll('/', '-'), title, path, who: 'admin' })
  }
  return shots
}

/** Chromium writes WebP itself: a canvas has it. */
async function webp(context: BrowserContext, png: Buffer): Promise<Buffer> {
  const page = await context.newPage()
  const url = await page.evaluate(
    async (source) => {
      const image = new Image()
      image.src = source
      await image.decode()
      const canvas = document.createElement('canvas')
      canvas.width = image.width
      canvas.height = image.height
      canvas.getContext('2d')?.drawImage(image, 0, 0)
      return canvas.toDataURL('image/webp', 0.75)
    },
    `data:image/png;base64,${png.toString('base64')}`,
  )
  await page.close()
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')
}

/** All that the page has asked for has come; a map, which a phone fetches when it is touched, is drawn. */
async function drawn(page: Page, hasMap: boolean): Promise<void> {
  if (hasMap) {
    await page.mouse.move(5, 5)
    await page.mouse.move(6, 6)
    await page
      .locator('.maplibregl-canvas')
      .waitFor({ timeout: 15_000 })
      .catch(() => undefined) // its picture says so
  }
  await page.waitForLoadState('networkidle', { timeout: 20_000 }).catch(() => undefined)
  await page.waitForTimeout(hasMap ? 2_500 : 400)
}

async function shoot(browser: Browser, blank: BrowserContext, server: Server, city: City, shots: Shot[]) {
  for (const who of [null, 'customer', 'driver', 'dispatcher', 'admin'] as const)
    for (const [size, viewport] of Object.entries(sizes))
      for (const scheme of schemes) {
        if (!wanted(`${size}-${scheme}`)) continue
        const context = await browser.newContext({
          viewport,
          colorScheme: scheme,
          locale: 'en-GB',
          timezoneId: 'Europe/Stockholm',
          geolocation: { latitude: HERE.lat, longitude: HERE.lng },
          permissions: ['geolocation'],
        })
        const page = await context.newPage()
        if (who !== null) await signIn(page, city[who])
        for (const shot of shots.filter((s) => s.who === who)) {
          await server.move(city.driver, ON_HIS_WAY) // no picture says how old it is
          await page.goto(server.url + shot.path)
          await expect(page.locator('h1').first()).toBeAttached()
          await drawn(page, /^\/(book($|\/bkg_)|track|drive$|dispatch)/.test(shot.path))
          const png = await page.screenshot({ animations: 'disabled' })
          writeFileSync(join(folder, `${shot.name}-${size}-${scheme}.webp`), await webp(blank, png))
        }
        await context.close()
      }
}

test('every page, light and dark, on a phone and at a desk', async ({ browser, page, server }) => {
  const { city, booking, track } = await settle(server)
  await signIn(page, city.admin)
  const shots = await pagesOf(page, booking, track)
  if (wanted('1')) rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const blank = await browser.newContext()
  await shoot(browser, blank, server, city, shots)
  await blank.close()
  const lines = [
    '# Every page of the app',
    '',
    'Made by `npm run screens` in `web/` (`e2e/screens.spec.ts`) with a small city of the test’s own; phone 390 × 844, desk 1440 × 900.',
    '',
  ]
  for (const { name, title } of shots) {
    lines.push(
      `## ${title}`,
      '',
      '| phone, light | phone, dark | desk, light | desk, dark |',
      '|---|---|---|---|',
    )
    const cells = Object.keys(sizes).flatMap((size) =>
      schemes.map((scheme) => `![${title}, ${size}, ${scheme}](${name}-${size}-${scheme}.webp)`),
    )
    lines.push(`| ${cells.join(' | ')} |`, '')
  }
  writeFileSync(join(folder, 'README.md'), `${lines.join('\n').trimEnd()}\n`)
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  expect(bytes).toBeLessThan(BYTES_MAX)
})
