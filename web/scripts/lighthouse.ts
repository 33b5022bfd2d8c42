/** What Lighthouse says of what a customer opens on a phone: several times each, the middle one is written down. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { chromium } from '@playwright/test'
import { HERE, signIn } from '../e2e/lorry.ts'
import { launch, withServer } from './city.ts'
import { spread } from './sections.ts'

const RUNS = Number(process.env.RUNS ?? 3)
const categories = ['performance', 'accessibility', 'best-practices'] as const
type Report = {
  categories: Record<string, { score: number | null; auditRefs: { id: string; weight: number }[] }>
  audits: Record<
    string,
    { id: string; title: string; score: number | null; displayValue?: string; numericValue?: number }
  >
}
type Lighthouse = (url: string, flags: Record<string, unknown>) => Promise<{ lhr: Report } | undefined>

function freePort(): Promise<number> {
  return new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => found(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

const scoreOf = (lhr: Report, category: string) => Math.round((lhr.categories[category]?.score ?? 0) * 100)

async function run(lighthouse: Lighthouse, url: string, port: number): Promise<Report> {
  const result = await lighthouse(url, {
    port,
    output: 'json',
    logLevel: 'error',
    onlyCategories: [...categories],
    disableStorageReset: true, // whoever is signed in stays so
  })
  if (result === undefined) throw new Error(`no report of ${url}`)
  return result.lhr
}
async function audited(lighthouse: Lighthouse, name: string, url: string, port: number): Promise<string[]> {
  const reports: Report[] = []
  for (let n = 0; n < RUNS; n++) reports.push(await run(lighthouse, url, port))
  const performance = (r: Report) => scoreOf(r, 'performance')
  const { min, max } = spread(reports.map(performance))
  const middle = reports.toSorted((a, b) => performance(a) - performance(b))[Math.floor(RUNS / 2)] as Report
  const value = (id: string) => middle.audits[id]?.displayValue?.replace(/\s/g, ' ') ?? '–'
  const failed = Object.values(middle.categories)
    .flatMap((c) => c.auditRefs.filter((a) => a.weight > 0))
    .map((ref) => middle.audits[ref.id])
    .filter((a) => a !== undefined && a.score !== null && a.score < 0.9)
  const paints = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time']
  const cells = [
    min === max ? String(max) : `${performance(middle)} (${min}–${max})`,
    ...categories.slice(1).map((c) => String(Math.min(...reports.map((r) => scoreOf(r, c))))),
    ...[...paints, 'cumulative-layout-shift'].map(value),
  ]
  return [
    `| ${name} | ${cells.join(' | ')} |`,
    ...failed.map((a) => `- ${name}: ${a?.title}, ${a?.displayValue ?? 'no'}`),
  ]
}

/** FOLDER: where npm has put Lighthouse. */
export async function lighthouseLines(folder: string): Promise<string[]> {
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
      await server.move(driver, { lat: 57.7062, lng: 11.9701 })
      const page = await context.newPage()
      await signIn(page, customer)
      await page.close()
      const pages = {
        Book: '/book',
        'Booking under way': `/book/${booking.id}`,
        'Public tracking': `/track/${booking.tracking_token}`,
      }
      const rows: string[] = []
      for (const [name, path] of Object.entries(pages))
        if (process.env.PAGE === undefined || process.env.PAGE === name)
          rows.push(...(await audited(lighthouse, name, server.url + path, port)))
      return table(rows)
    } finally {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    }
  })
}
function table(rows: string[]): string[] {
  const failed = rows.filter((row) => row.startsWith('- '))
  return [
    `A slow phone on a slow network, as Lighthouse simulates them; a driver is on his way. Each page ${RUNS} times: the middle run by`,
    'its performance (least and most behind it), the least of the other two scores.',
    '',
    '| Page | Performance | Accessibility | Best practices | First paint | Largest paint | Blocked | Shift |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows.filter((row) => row.startsWith('| ')),
    '',
    ...(failed.length > 0 ? ['What takes points (audits below 0.9):', '', ...failed, ''] : []),
  ]
}
