/** A server of its own for each file of tests, and people who use its API beside the browser. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { test as base, expect, type Page } from '@playwright/test'
import type { components } from '../src/api/schema'

export { expect }
export type Schemas = components['schemas']
export const PASSWORD = 'correct horse 9'
const root = resolve(import.meta.dirname, '../..')
const build = resolve(process.env.BUILD_FOLDER ?? join(root, 'build'))
/** The web app as it was built. */
export const WEB = join(build, 'web')
export const BINARY = join(build, 'lorry')
const streets = join(root, 'build/streets/large-network.json')

let number = 0

/** Somebody with an account, who acts by the API. */
export class Person {
  readonly server: Server
  readonly email: string
  readonly session: Schemas['Session']
  constructor(server: Server, email: string, session: Schemas['Session']) {
    this.server = server
    this.email = email
    this.session = session
  }
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(this.server.url + path, {
      method,
      headers: { Authorization: `Bearer ${this.session.access_token}`, 'Content-Type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return (answer.status === 204 ? undefined : await answer.json()) as T
  }
}

export class Server {
  url = ''
  /** With which the first administrator is made; only where there is none yet. */
  setupCode = ''
  readonly data = mkdtempSync(join(tmpdir(), 'lorry-e2e-'))
  readonly hasStreets: boolean
  private process: ChildProcess | undefined
  private readonly flags: string[]
  /** Without the streets it starts sooner, and ways are as the crow flies. */
  constructor(flags: string[] = [], withStreets = true) {
    this.flags = flags
    this.hasStreets = withStreets && existsSync(streets)
  }

  async start(listen = '127.0.0.1:0'): Promise<void> {
    const args = ['serve', '--data', this.data, '--listen', listen, '--web', WEB, '--driver-approval', 'auto']
    if (this.hasStreets) args.push('--streets', streets)
    this.process = spawn(join(build, 'lorry'), [...args, ...this.flags], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.url = await new Promise((found, failed) => {
      let text = ''
      this.process?.stdout?.on('data', (chunk) => {
        text += chunk
        const api = /API +(http:\S+)\/v1/.exec(text)
        this.setupCode = /^ {2}(\w{4}-\w{4}-\w{4})$/m.exec(text)?.[1] ?? ''
        if (api?.[1] && text.includes('Ctrl-C')) found(api[1])
      })
      this.process?.on('exit', (code) => failed(new Error(`lorry serve ended with ${code}\n${text}`)))
    })
  }
  /** Ends the process; the data stay, so that start() goes on where it was. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const process = this.process
    if (process === undefined || process.exitCode !== null) return
    await new Promise((ended) => {
      process.once('exit', ended)
      process.kill(signal)
    })
  }
  remove(): void {
    rmSync(this.data, { recursive: true })
  }

  async register(role: 'customer' | 'driver', name = 'Asha Rao'): Promise<Person> {
    const email = `p${process.pid}.${++number}@example.com`
    const answer = await fetch(`${this.url}/v1/auth/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email, password: PASSWORD, name, phone: '+46701234567', role }),
    })
    if (!answer.ok) throw new Error(await answer.text())
    return new Person(this, email, (await answer.json()) as Schemas['Session'])
  }
  /** Staff is made on the machine itself. */
  async staff(role: 'dispatcher' | 'admin'): Promise<Person> {
    const email = `s${process.pid}.${++number}@example.com`
    const args = ['user', 'add', '--role', role, '--email', email, '--name', 'Bea Boss', '--data', this.data]
    execFileSync(join(build, 'lorry'), args, { input: `${PASSWORD}\n`, stdio: ['pipe', 'ignore', 'inherit'] })
    const answer = await fetch(`${this.url}/v1/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email, password: PASSWORD }),
    })
    if (!answer.ok) throw new Error(await answer.text())
    return new Person(this, email, (await answer.json()) as Schemas['Session'])
  }
  /** Approved, on duty, at a place. */
  async driver(
    at: { lat: number; lng: number },
    vehicle: Schemas['Vehicle'] = 'van',
    name = 'Ola Berg',
  ): Promise<Person> {
    const driver = await this.register('driver', name)
    await driver.call('PUT', '/v1/driver', { vehicle: { class: vehicle, plate: 'ABC123', capacity_kg: 800 } })
    await driver.call('POST', '/v1/driver/duty', { duty: 'on' })
    await this.move(driver, at)
    return driver
  }
  async move(driver: Person, { lat, lng }: { lat: number; lng: number }): Promise<void> {
    await driver.call('POST', '/v1/driver/locations', { fixes: [{ at: new Date().toISOString(), lat, lng }] })
  }
  /** Waits to be asked, and takes it. */
  async accept(driver: Person): Promise<Schemas['Booking']> {
    for (;;) {
      const { items } = await driver.call<{ items: Schemas['Offer'][] }>('GET', '/v1/driver/offers')
      if (items[0])
        return driver.call('POST', `/v1/bookings/${items[0].booking_id}/accept`, { offer_id: items[0].id })
      await new Promise((r) => setTimeout(r, 100))
    }
  }
  async book(
    customer: Person,
    contact?: Schemas['Contact'],
    stops = [
      { ...HERE, address: 'Drottningtorget' },
      { ...THERE, address: 'Korsvägen' },
    ],
  ): Promise<Schemas['Booking']> {
    const { quotes } = await customer.call<Schemas['Quotes']>('POST', '/v1/quotes', { vehicle: 'van', stops })
    return customer.call('POST', '/v1/bookings', {
      quote_id: quotes[0]?.id,
      stops: [{ contact }, { contact }],
    })
  }
}
export const HERE = { lat: 57.7089, lng: 11.9746 }
export const THERE = { lat: 57.6969, lng: 11.9865 }

/** What some companies have in front of everything: requests get through, sockets do not. */
export async function withoutSockets(server: Server): Promise<{ url: string; close: () => void }> {
  const proxy = createServer((from, to) => {
    const asked = request(server.url + from.url, { method: from.method, headers: from.headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(to)
    })
    asked.on('error', () => to.destroy())
    from.pipe(asked)
  })
  proxy.on('upgrade', (_request, socket) => socket.destroy())
  await new Promise<void>((ready) => proxy.listen(0, '127.0.0.1', ready))
  const { port } = proxy.address() as AddressInfo
  const close = () => {
    proxy.closeAllConnections()
    proxy.close()
  }
  return { url: `http://127.0.0.1:${port}`, close }
}

/** Signs PERSON in by the form, and waits for his first page. */
export async function signIn(page: Page, person: Person, next = '', url = person.server.url): Promise<void> {
  await page.goto(`${url}/sign-in${next ? `?next=${encodeURIComponent(next)}` : ''}`)
  await page.getByLabel('E-mail').fill(person.email)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'))
}

/** No violation of WCAG 2.2 A and AA on the page as it is now, but for the rules named in EXCEPT. */
export async function accessible(page: Page, except: string[] = []): Promise<void> {
  await expect(page.locator('h1').first()).toBeAttached() // the page itself has come, not only its frame
  await page.evaluate(() =>
    Promise.allSettled(
      document
        .getAnimations()
        .filter((a) => a instanceof CSSTransition)
        .map((a) => a.finished),
    ),
  ) // half faded is no colour of ours
  const found = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .disableRules(except)
    .analyze()
  expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' | ')}`)).toEqual([])
}

/** A fixture: a server of a test's own, started with FLAGS; PREPARE makes it what the test begins with. */
export function ownServer(
  flags: string[] = [],
  withStreets = true,
  prepare?: (server: Server) => Promise<unknown>,
) {
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
  return async ({}, use: (server: Server) => Promise<void>) => {
    const server = new Server(flags, withStreets)
    await server.start()
    await prepare?.(server)
    await use(server)
    await server.stop()
    server.remove()
  }
}

/** How the file's server is started; said with test.use() at its head. */
type Served = { flags: string[]; streets: boolean }
type Fixtures = { complaints: string[]; served: Served; server: Server }
type ServerOfFile = { file: string; server: Server | undefined }
async function end({ server }: ServerOfFile): Promise<void> {
  await server?.stop()
  server?.remove()
}
export const test = base.extend<Fixtures, { current: ServerOfFile }>({
  served: [{ flags: [], streets: true }, { option: true }],
  /** The tests of one file share a server, so that what a file sees does not hang on which came before it. */
  server: async ({ current, served }, use, { file }) => {
    if (current.server === undefined || current.file !== file) {
      await end(current)
      current.file = file
      current.server = new Server(served.flags, served.streets)
      await current.server.start()
    }
    await use(current.server)
  },
  current: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
    async ({}, use) => {
      const current: ServerOfFile = { file: '', server: undefined }
      await use(current)
      await end(current)
    },
    { scope: 'worker' },
  ],
  /** What the browser complained of; a test fails on any (errors of the page, the policy against foreign scripts). */
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = []
      page.on('pageerror', (error) => complaints.push(error.message))
      page.on('console', (message) => {
        if (/Content Security Policy|Minified React error|HydrateFallback/.test(message.text()))
          complaints.push(message.text())
      })
      await use(complaints)
      expect(complaints).toEqual([])
    },
    { auto: true },
  ],
})
