/** A dispatcher's console with a city on its map, for what measures it: a server of its own, or one that runs already
 * (CITY_URL with CITY_EMAIL and CITY_PASSWORD of a dispatcher: so a city that has been filled is measured again and again). */
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from '@playwright/test'
import { PASSWORD, Server } from '../e2e/lorry.ts'
import config from '../playwright.config.ts'

export const launch = config.use?.launchOptions ?? {}
export const MOVING = Number(process.env.DRIVERS ?? 5000)
const FULL_PART = 0.97 // a few are always between two sockets
const FULL_MS_MAX = 600_000
const LOOK_MS = 5_000
const WAIT_MS_MAX = 120_000

export type Console = {
  browser: Browser
  context: BrowserContext
  page: Page
  city: City
  devtools: CDPSession
}
type City = { url: string; token: string; on: number }

export async function withServer<T>(flags: string[], work: (server: Server) => Promise<T>): Promise<T> {
  const server = new Server(flags)
  await server.start()
  try {
    return await work(server)
  } finally {
    await server.stop()
    server.remove()
  }
}

async function ask<T>(url: string, init: RequestInit): Promise<T> {
  const answer = await fetch(url, init)
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as T
}
async function login(url: string, email: string, password: string): Promise<string> {
  const { access_token } = await ask<{ access_token: string }>(`${url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email, password }),
  })
  return access_token
}
/** How many are on duty now. */
export async function onDuty(city: { url: string; token: string }): Promise<number> {
  const { counts } = await ask<{ counts: { on: number; busy: number } }>(`${city.url}/v1/fleet`, {
    headers: { Authorization: `Bearer ${city.token}` },
  })
  return counts.on + counts.busy
}
/** The city grows by itself; it is whole when nearly all are on the road. */
async function filled(url: string, token: string): Promise<City> {
  const end = Date.now() + FULL_MS_MAX
  for (;;) {
    const on = await onDuty({ url, token })
    if (on >= MOVING * FULL_PART) return { url, token, on }
    if (Date.now() > end) throw new Error(`${on} of ${MOVING} drivers are on duty`)
    await new Promise((done) => setTimeout(done, LOOK_MS))
  }
}

async function signIn(page: Page, url: string, email: string, password: string): Promise<void> {
  await page.goto(`${url}/sign-in?next=/dispatch`)
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL((to) => to.pathname === '/dispatch')
}
/** The browser's own wait is for a minute; a fleet that is read on a busy machine may take longer. */
async function fleetShown(page: Page): Promise<void> {
  await page.waitForFunction(
    (least) => {
      const said = /([\d,.\s]+) vehicles/.exec(document.body.textContent ?? '')?.[1]
      return said !== undefined && Number(said.replace(/\D/g, '')) >= least
    },
    MOVING * FULL_PART,
    { timeout: WAIT_MS_MAX, polling: 500 },
  )
  await page.locator('canvas').waitFor()
}

async function opened<T>(
  url: string,
  [email, password]: [string, string],
  work: (made: Console) => Promise<T>,
): Promise<T> {
  const city = await filled(url, await login(url, email, password))
  const browser = await chromium.launch(launch)
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB' })
    context.setDefaultTimeout(WAIT_MS_MAX) // a full machine is slow, and no failure
    const page = await context.newPage()
    await signIn(page, url, email, password)
    await fleetShown(page)
    return await work({ browser, context, page, city, devtools: await context.newCDPSession(page) })
  } finally {
    await browser.close()
  }
}

/** A console before which the whole city moves. BOOKINGS an hour of the city's time, which runs SPEED times as fast as life
 * (up to 10 each driver sends a place every two seconds nevertheless). */
export function withConsole<T>(
  { bookings, speed }: { bookings: number; speed: number },
  work: (made: Console) => Promise<T>,
): Promise<T> {
  const { CITY_URL, CITY_EMAIL, CITY_PASSWORD } = process.env
  if (CITY_URL !== undefined)
    return opened(
      CITY_URL,
      [CITY_EMAIL ?? 'dispatcher@demo.example', CITY_PASSWORD ?? 'demo-city-2026'],
      work,
    )
  const flags = { drivers: MOVING, speed, 'bookings-per-hour': bookings }
  const given = Object.entries(flags).flatMap(([name, value]) => [`--demo-${name}`, String(value)])
  return withServer(['--demo', ...given], async (server) => {
    const { email } = await server.staff('dispatcher')
    return opened(server.url, [email, PASSWORD], work)
  })
}
