/** Leaves the console open before a city that moves, works with it as a dispatcher does, and sees whether its memory stays what it
 * is: the heap after a forced collection, nodes and listeners, by DevTools.
 * Usage: BUILD_FOLDER=... node scripts/soak.ts [MINUTES]        30 minutes if not said; DRIVERS=N (5000) */
import { readFileSync } from 'node:fs'
import type { Page } from '@playwright/test'
import { type Console, withConsole } from './city.ts'
import { slope, spread } from './sections.ts'

const MINUTE_MS = 60_000
const EVERY_MS = MINUTE_MS
const WARM_PART = 1 / 6 // of the whole time: caches fill, the city comes to its usual number of jobs
const ACT_MS_MAX = 30_000
const MB = 1_048_576

type Sample = {
  minutes: number
  heap: number // bytes of the page's objects
  buffers: number // bytes of array buffers
  resident: number | null // bytes of the page's process, where the system says
  nodes: number
  listeners: number
  jobs: number
}

/** The page's process, by the name of its kind; the browser has started one for it alone. */
async function resident({ browser }: Console): Promise<number | null> {
  const devtools = await browser.newBrowserCDPSession()
  try {
    const { processInfo } = await devtools.send('SystemInfo.getProcessInfo')
    const pages = processInfo.filter((p) => p.type === 'renderer')
    const bytes = pages.map((p) =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${p.id}/status`, 'utf8'))?.[1]),
    )
    return Math.max(...bytes) * 1024
  } catch {
    return null
  } finally {
    await devtools.detach()
  }
}
async function sample(made: Console, minutes: number): Promise<Sample> {
  const { devtools, page } = made
  // Twice: what the first one frees lets go of more.
  for (let n = 0; n < 2; n++) await devtools.send('HeapProfiler.collectGarbage')
  const heap = (await devtools.send('Runtime.getHeapUsage')) as {
    usedSize: number
    backingStorageSize?: number
  }
  const { metrics } = await devtools.send('Performance.getMetrics')
  const metric = (name: string) => metrics.find((m) => m.name === name)?.value ?? 0
  const jobs = /([\d,]+) jobs/.exec(await page.evaluate(() => document.body.textContent ?? ''))?.[1]
  return {
    minutes,
    heap: heap.usedSize,
    buffers: heap.backingStorageSize ?? 0,
    resident: await resident(made),
    nodes: metric('Nodes'),
    listeners: metric('JSEventListeners'),
    jobs: Number(jobs?.replace(/\D/g, '') ?? 0),
  }
}

/** A little of everything that a dispatcher does; it ends where it began. */
async function work(page: Page, round: number): Promise<void> {
  const press = async (...keys: string[]) => {
    for (const key of keys) {
      await page.keyboard.press(key)
      await page.waitForTimeout(300)
    }
  }
  await press('j', 'j', 'k', 'Escape', 'Control+a', 'Escape')
  for (const [opens, ...keys] of [['?'], ['Control+k', 'o', 'l']] as const) {
    await press(opens)
    await page.getByRole('dialog').waitFor()
    await press(...keys, 'Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
  }
  await page.getByRole('button', { name: 'Vehicles' }).click()
  await page
    .getByRole('list', { name: 'Vehicles' })
    .getByRole('button')
    .nth(round % 20)
    .click()
  await page.waitForTimeout(1000)
  await press('Escape')
  for (const name of ['Unassigned', 'All']) {
    await page.getByRole('button', { name, exact: true }).click()
    await page.waitForTimeout(300)
  }
  const map = await page.locator('canvas').first().boundingBox()
  if (map === null) throw new Error('the map is not there')
  await page.mouse.move(map.x + map.width / 2, map.y + map.height / 2)
  for (const turn of [-300, -300, 300, 300]) {
    await page.mouse.wheel(0, turn)
    await page.waitForTimeout(800)
  }
  // The whole map is drawn anew in the other colours, and back.
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    await page.waitForTimeout(1500)
  }
}

/** As it was before the acts, wherever they were broken off. */
async function cleared(page: Page): Promise<void> {
  for (let n = 0; n < 3; n++) await page.keyboard.press('Escape')
  await page.emulateMedia({ colorScheme: 'light' })
}

export function soakLines(minutes: number): Promise<string[]> {
  // Ten times as fast as life: jobs begin and end all the time, and soon as many end as begin.
  return withConsole({ bookings: 120, speed: 8 }, async (made) => {
    await made.devtools.send('Performance.enable')
    made.context.setDefaultTimeout(ACT_MS_MAX)
    const samples: Sample[] = []
    let missed = 0
    const start = Date.now()
    for (let round = 0; ; round++) {
      const found = await sample(made, (Date.now() - start) / MINUTE_MS)
      samples.push(found)
      console.error(soakRow(found))
      if (found.minutes >= minutes) break
      const next = Math.min(start + (round + 1) * EVERY_MS, start + minutes * MINUTE_MS)
      await work(made.page, round).catch((error) => {
        missed++ // on a full machine an act may not come through; what has been measured stays
        console.error(String(error).split('\n')[0])
      })
      await cleared(made.page)
      await made.page.waitForTimeout(Math.max(0, next - Date.now()))
    }
    return linesOf(samples, made.city.on, missed)
  })
}

const mb = (bytes: number | null) => (bytes === null ? '–' : (bytes / MB).toFixed(1))
function soakRow(s: Sample): string {
  const cells = [mb(s.heap), mb(s.buffers), mb(s.resident), s.nodes, s.listeners, s.jobs]
  return `| ${s.minutes.toFixed(0)} | ${cells.join(' | ')} |`
}
function linesOf(samples: Sample[], drivers: number, missed: number): string[] {
  const whole = samples.at(-1)?.minutes ?? 0
  const warm = samples.filter((s) => s.minutes >= whole * WARM_PART)
  const rise = (of: (s: Sample) => number) => slope(warm.map((s) => ({ x: s.minutes, y: of(s) })))
  const third = Math.max(1, Math.floor(warm.length / 3))
  const median = (part: Sample[]) => spread(part.map((s) => s.heap)).median
  const kb = (bytes: number) => `${bytes < 0 ? '−' : '+'}${(Math.abs(bytes) / 1024).toFixed(1)} kB`
  const shown = samples.filter((_, i) => i % Math.ceil(samples.length / 12) === 0 || i === samples.length - 1)
  return [
    `${whole.toFixed(0)} minutes before ${drivers.toLocaleString('en')} vehicles that move; once a minute jobs and vehicles are opened and closed, the palette,`,
    'the lists, the filters and the zoom are used, the theme changes to and fro, and all that is not needed is collected. MiB.',
    ...(missed > 0
      ? [`In ${missed} of the minutes the acts were broken off, for the machine was too full.`]
      : []),
    '',
    '| Minute | Heap | Array buffers | Process | Nodes | Listeners | Open jobs |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...shown.map(soakRow),
    '',
    `From minute ${(whole * WARM_PART).toFixed(0)} on a minute brings ${kb(rise((s) => s.heap))} of heap, ${kb(rise((s) => s.buffers))} of array buffers,`,
    `${rise((s) => s.nodes).toFixed(1)} nodes and ${rise((s) => s.listeners).toFixed(1)} listeners (the median of the slopes between any two of`,
    `${warm.length} samples); the heap’s median is ${mb(median(warm.slice(0, third)))} MiB in the first third of them, ${mb(median(warm.slice(-third)))} in the last.`,
    '',
  ]
}

if (import.meta.main) console.log((await soakLines(Number(process.argv[2] ?? 30))).join('\n'))
