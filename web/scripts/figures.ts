/** Measures the app as it was built, against a real server, and writes docs/web-figures.md: how much script each face loads,
 * what Lighthouse says of a customer's page and of public tracking, and what the console's main thread does after a key is
 * pressed while a city moves on its map.
 * Usage: BUILD_FOLDER=... node scripts/figures.ts LIGHTHOUSE        LIGHTHOUSE: the folder that npm has put it in */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type BrowserContext, chromium, type Page } from '@playwright/test'
import { HERE, Server, signIn, WEB } from '../e2e/lorry.ts'
import config from '../playwright.config.ts'
import { BUDGET_KB, sizes } from './sizes.ts'
import { type Act, readTrace, spread } from './trace.ts'

const root = resolve(import.meta.dirname, '../..')
const categories = ['performance', 'accessibility', 'best-practices'] as const
type Report = {
  categories: Record<string, { score: number | null; auditRefs: { id: string; weight: number }[] }>
  audits: Record<string, { id: string; title: string; score: number | null; displayValue?: string }>
}
type Lighthouse = (url: string, flags: Record<string, unknown>) => Promise<{ lhr: Report } | undefined>
const launch = config.use?.launchOptions ?? {}
const MOVING = Number(process.env.DRIVERS ?? 5000)
const STILL_MS = 600 // between two acts, so that what one causes has been done

function freePort(): Promise<number> {
  return new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => found(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
async function withServer(flags: string[], work: (server: Server) => Promise<string[]>): Promise<string[]> {
  const server = new Server(flags)
  await server.start()
  try {
    return await work(server)
  } finally {
    await server.stop()
    server.remove()
  }
}

async function sizeLines(): Promise<string[]> {
  const found = await sizes(WEB)
  return [
    '## Script of a first load',
    '',
    `Compressed with gzip, in kB (1,000 bytes). Booking and tracking may take ${BUDGET_KB}; the browser tests fail above`,
    'that (`npm run sizes`). "Later" is what a page fetches after it can be used: the map above all.',
    '',
    '| Face | First load | Files | Later |',
    '| --- | ---: | ---: | ---: |',
    ...found.map((s) => `| ${s.face} | ${s.first_kb.toFixed(1)} | ${s.files} | ${s.later_kb.toFixed(1)} |`),
    '',
  ]
}

async function audited(lighthouse: Lighthouse, name: string, url: string, port: number): Promise<string[]> {
  const result = await lighthouse(url, {
    port,
    output: 'json',
    logLevel: 'error',
    onlyCategories: [...categories],
    disableStorageReset: true, // whoever is signed in stays so
  })
  if (result === undefined) throw new Error(`no report of ${url}`)
  const { lhr } = result
  const score = (c: string) => String(Math.round((lhr.categories[c]?.score ?? 0) * 100))
  const value = (id: string) => lhr.audits[id]?.displayValue?.replace(/\s/g, ' ') ?? '–'
  const weighed = Object.values(lhr.categories).flatMap((c) => c.auditRefs.filter((a) => a.weight > 0))
  const failed = weighed
    .map((ref) => lhr.audits[ref.id])
    .filter((a) => a !== undefined && a.score !== null && a.score < 0.9)
  const paints = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time']
  const cells = [...categories.map(score), ...[...paints, 'cumulative-layout-shift'].map(value)]
  return [
    `| ${name} | ${cells.join(' | ')} |`,
    ...failed.map((a) => `- ${name}: ${a?.title}, ${a?.displayValue ?? 'no'}`),
  ]
}
async function lighthouseLines(folder: string): Promise<string[]> {
  const module = join(resolve(folder), 'node_modules/lighthouse/core/index.js')
  const lighthouse = ((await import(module)) as { default: Lighthouse }).default
  return withServer([], async (server) => {
    const profile = mkdtempSync(join(tmpdir(), 'lorry-figures-'))
    const port = await freePort()
    const args = [...(launch.args ?? []), `--remote-debugging-port=${port}`]
    const context = await chromium.launchPersistentContext(profile, { ...launch, args })
    try {
      const customer = await server.register('customer')
      const driver = await server.driver(HERE)
      const booking = await server.book(customer)
      await server.accept(driver)
      const page = await context.newPage()
      await signIn(page, customer)
      await page.close()
      const rows = [
        ...(await audited(lighthouse, 'Book', `${server.url}/book`, port)),
        ...(await audited(lighthouse, 'Booking under way', `${server.url}/book/${booking.id}`, port)),
        ...(await audited(
          lighthouse,
          'Public tracking',
          `${server.url}/track/${booking.tracking_token}`,
          port,
        )),
      ]
      const failed = rows.filter((row) => row.startsWith('- '))
      return [
        '## Lighthouse, mobile profile',
        '',
        'A slow phone on a slow network, as Lighthouse simulates them; the map is drawn by the processor, for there is no GPU.',
        '',
        '| Page | Performance | Accessibility | Best practices | First paint | Largest paint | Blocked | Shift |',
        '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
        ...rows.filter((row) => row.startsWith('| ')),
        '',
        ...(failed.length > 0 ? ['What takes points (audits below 0.9):', '', ...failed, ''] : []),
      ]
    } finally {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    }
  })
}

/** Each act is marked, so that it is found again in the trace. */
async function act(page: Page, name: string, does: () => Promise<void>): Promise<void> {
  await page.evaluate((mark) => void performance.mark(mark), `lorry:${name}`)
  await does()
  await page.waitForTimeout(STILL_MS)
}
async function acts(page: Page): Promise<void> {
  const key = (name: string, press: string) => act(page, name, () => page.keyboard.press(press))
  for (let n = 0; n < 6; n++) await key('Next job (J)', 'j')
  for (let n = 0; n < 4; n++) await key('Job before (K)', 'k')
  await key('Close the job (Esc)', 'Escape')
  for (let n = 0; n < 3; n++) {
    await key('Shortcut sheet (?)', '?')
    await page.keyboard.press('Escape')
    await page.waitForTimeout(STILL_MS)
  }
  const filter = page.getByRole('button', { name: 'Unassigned' })
  for (let n = 0; n < 4; n++)
    await act(page, 'Filter (click)', () =>
      (n % 2 ? page.getByRole('button', { name: 'All', exact: true }) : filter).click(),
    )
  await page.keyboard.press('/')
  for (const letter of 'torg') await key('Search, a letter', letter)
}
async function consoleLines(): Promise<string[]> {
  const flags = [
    '--demo',
    '--demo-drivers',
    String(MOVING),
    '--demo-speed',
    '1',
    '--demo-bookings-per-hour',
    '600',
  ]
  return withServer(flags, async (server) => {
    const browser = await chromium.launch(launch)
    const context: BrowserContext = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      locale: 'en-GB',
    })
    const file = join(mkdtempSync(join(tmpdir(), 'lorry-trace-')), 'trace.json')
    try {
      const page = await context.newPage()
      await signIn(page, await server.staff('dispatcher'))
      await page
        .getByText(/[\d,]+ vehicles/)
        .first()
        .waitFor()
      await page.waitForTimeout(30_000) // the fleet has come, the map is drawn
      const fleet = String(
        await page
          .getByText(/[\d,]+ vehicles/)
          .first()
          .textContent(),
      )
      await browser.startTracing(page, {
        path: file,
        categories: ['devtools.timeline', 'blink.user_timing', 'toplevel'],
      })
      await act(page, 'still', () => page.waitForTimeout(4000))
      await acts(page)
      await browser.stopTracing()
      const trace = readTrace(JSON.parse(readFileSync(file, 'utf8')))
      return traceLines(fleet, trace.acts, trace.tasks)
    } finally {
      await browser.close()
      rmSync(file, { force: true })
    }
  })
}
function traceLines(fleet: string, found: Act[], tasks: number[]): string[] {
  const names = [...new Set(found.map((a) => a.name))]
  const ms = (n: number) => n.toFixed(1)
  const row = (name: string) => {
    const mine = found.filter((a) => a.name === name)
    const script = spread(mine.map((a) => a.script_ms))
    const layout = spread(mine.map((a) => a.layout_ms))
    const both = spread(mine.map((a) => a.script_ms + a.layout_ms))
    return `| ${name} | ${mine.length} | ${ms(script.median)} | ${ms(layout.median)} | ${ms(both.median)} | ${ms(both.max)} |`
  }
  const idle = spread(tasks)
  return [
    '## The console while a city moves',
    '',
    `On its map: ${fleet.trim()}. From the browser's own trace: script and layout on the main thread from a key or click to the`,
    'next picture that shows what it did, in ms (50 is the aim).',
    '',
    '| Act | Times | Script, median | Layout, median | Both, median | Both, most |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...names.map(row),
    '',
    `While nobody touches it, ${tasks.length} tasks of the main thread took 1 ms or more in four seconds: median ${ms(idle.median)} ms,`,
    `95 of 100 under ${ms(idle.p95)} ms, the longest ${ms(idle.max)} ms.`,
    '',
  ]
}

const only = process.env.ONLY?.split(',') ?? ['sizes', 'lighthouse', 'console']
const lines = [
  '# Figures of the web app',
  '',
  'Written by `make web-figures`; do not edit. ' +
    `Measured on ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), with server and browser on the same machine and no GPU.`,
  '',
  ...(only.includes('sizes') ? await sizeLines() : []),
  ...(only.includes('lighthouse') ? await lighthouseLines(process.argv[2] ?? '.tools/lighthouse') : []),
  ...(only.includes('console') ? await consoleLines() : []),
]
writeFileSync(process.env.OUT ?? join(root, 'docs/web-figures.md'), `${lines.join('\n').trimEnd()}\n`)
