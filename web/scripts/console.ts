/** What the console's main thread does while a whole city moves on its map: for each frame, and after a key or a click. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { type Console, withConsole } from './city.ts'
import { spread } from './sections.ts'
import { type Act, type Frame, frameMs, readTrace } from './trace.ts'

const STILL_MS = 600 // between two acts, so that what one causes has been done
const SPAN_MS = 8_000
const SETTLE_MS = 10_000
const JOBS_LEAST = 60 // a city that has just begun has none, and nothing to choose from
const JOBS_MS_MAX = 600_000
const ROUNDS = Number(process.env.RUNS ?? 3)
const AIM_MS = 8

/** Each act is marked, so that it is found again in the trace. */
async function act(page: Page, name: string, does: () => Promise<void>): Promise<void> {
  await page.evaluate((mark) => void performance.mark(mark), `lorry:${name}`)
  await does()
  await page.waitForTimeout(STILL_MS)
}
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

async function acts(page: Page): Promise<void> {
  const key = (name: string, press: string) => act(page, name, () => page.keyboard.press(press))
  for (let n = 0; n < 4; n++) await key('Next job (J)', 'j')
  for (let n = 0; n < 3; n++) await key('Job before (K)', 'k')
  await key('Close the job (Esc)', 'Escape')
  await key('Select all jobs (Ctrl+A)', 'Control+a')
  await key('Select none (Esc)', 'Escape')
  await key('Shortcut sheet (?)', '?')
  await key('Close the sheet (Esc)', 'Escape')
  await key('Palette (Ctrl+K)', 'Control+k')
  for (const letter of 'ola') await key('Palette, a letter', letter)
  await key('Close the palette (Esc)', 'Escape')
  await act(page, 'List of vehicles (click)', () => page.getByRole('button', { name: 'Vehicles' }).click())
  await act(page, 'A vehicle of the list (click)', () =>
    page.getByRole('list', { name: 'Vehicles' }).getByRole('button').nth(3).click(),
  )
  await key('Close the vehicle (Esc)', 'Escape')
  for (const name of ['Unassigned', 'All'])
    await act(page, 'Filter (click)', () => button(page, name).click())
  await page.keyboard.press('/')
  for (const letter of 'torg') await key('Search, a letter', letter)
  await page.keyboard.press('Control+a')
  await key('Search, cleared', 'Delete')
  await page.keyboard.press('Escape')
  await page.locator('canvas').first().focus()
}

/** Something that lasts: its frames are counted, not its acts. */
async function span(page: Page, name: string, does: () => Promise<void>): Promise<void> {
  await page.evaluate((mark) => void performance.mark(mark), `lorry:span ${name}`)
  await does()
  await page.evaluate((mark) => void performance.mark(mark), 'lorry:end')
}
/** Drags the map to and fro, as a hand does. */
async function drag(page: Page): Promise<void> {
  const box = await page.locator('canvas').first().boundingBox()
  if (box === null) throw new Error('the map is not there')
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
  await page.mouse.move(x, y)
  await page.mouse.down()
  const end = Date.now() + SPAN_MS
  for (let n = 0; Date.now() < end; n++) {
    await page.mouse.move(x + 120 * Math.sin(n / 10), y + 60 * Math.sin(n / 14))
    await page.waitForTimeout(16)
  }
  await page.mouse.move(x, y)
  await page.mouse.up()
}

async function traced({ browser, page }: Console, does: () => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), 'lorry-trace-'))
  try {
    const path = join(folder, 'trace.json')
    await browser.startTracing(page, {
      path,
      categories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'blink.user_timing'],
    })
    await does()
    await browser.stopTracing()
    return readTrace(JSON.parse(readFileSync(path, 'utf8')))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function jobsCome(page: Page): Promise<void> {
  await page.waitForFunction(
    (least) => Number(/([\d,]+) jobs/.exec(document.body.textContent ?? '')?.[1]?.replace(',', '')) >= least,
    JOBS_LEAST,
    { timeout: JOBS_MS_MAX, polling: 1_000 },
  )
}
export function consoleLines(): Promise<string[]> {
  return withConsole({ bookings: 1800, speed: 1 }, async (made) => {
    const { page } = made
    await jobsCome(page)
    await page.waitForTimeout(SETTLE_MS)
    const said = await page
      .getByText(/[\d,]+ vehicles/)
      .first()
      .textContent()
    const found: Act[] = []
    const frames: Record<string, Frame[]> = {}
    for (let round = 0; round < ROUNDS; round++) {
      const lasting = await traced(made, async () => {
        await span(page, 'Nobody touches it', () => page.waitForTimeout(SPAN_MS))
        await span(page, 'The map is dragged to and fro', () => drag(page))
      })
      for (const [name, mine] of Object.entries(lasting.frames))
        frames[name] = [...(frames[name] ?? []), ...mine]
      found.push(...(await traced(made, () => acts(page))).acts)
    }
    return [...frameLines(String(said).trim(), frames), ...actLines(found)]
  })
}

const ms = (n: number) => n.toFixed(1)
function frameLines(said: string, frames: Record<string, Frame[]>): string[] {
  const row = ([name, mine]: [string, Frame[]]) => {
    const whole = spread(mine.map(frameMs))
    const picture = spread(mine.map((f) => f.picture_ms))
    const within = mine.filter((f) => frameMs(f) <= AIM_MS).length / Math.max(1, mine.length)
    const seconds = mine.reduce((sum, f) => sum + f.span_ms, 0) / 1000
    const busy =
      mine.reduce((sum, f) => sum + f.picture_ms + f.beside_ms, 0) / 1000 / Math.max(0.001, seconds)
    const cells = [whole.median, whole.p95, whole.max, picture.median].map(ms)
    const shares = [within, busy].map((part) => `${(100 * part).toFixed(0)} %`)
    return `| ${name} | ${(mine.length / Math.max(0.001, seconds)).toFixed(0)} | ${cells.join(' | ')} | ${shares.join(' | ')} |`
  }
  return [
    `On the map: ${said}, and everybody drives. From the browser’s own trace, ${ROUNDS} rounds, the processor’s time of the main thread`,
    `in ms. A frame is 1/60 s: a picture of the map, and what else is done in that time, messages of the socket above all; ${AIM_MS} is the`,
    'aim. How many pictures come in a second is a matter of who draws, and here that is the processor.',
    '',
    '| While | Pictures a second | A frame, median | 95 of 100 | Most | A picture alone | Frames within the aim | Main thread busy |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...Object.entries(frames).map(row),
    '',
  ]
}
function actLines(found: Act[]): string[] {
  const row = (name: string) => {
    const mine = found.filter((a) => a.name === name)
    const script = spread(mine.map((a) => a.script_ms))
    const layout = spread(mine.map((a) => a.layout_ms))
    const both = spread(mine.map((a) => a.script_ms + a.layout_ms))
    const cpu = spread(mine.map((a) => a.cpu_ms))
    const cells = [script.median, layout.median, both.median, both.max, cpu.median, cpu.max].map(ms)
    return `| ${name} | ${mine.length} | ${cells.join(' | ')} |`
  }
  return [
    'From a key or click to the next picture that shows what it did, on the main thread, in ms: script and layout by the clock (50 is the',
    'aim; on a full machine it also counts the wait for a turn), and all that the processor did for the thread meanwhile.',
    '',
    '| Act | Times | Script, median | Layout, median | Both, median | Both, most | Processor, median | Most |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...[...new Set(found.map((a) => a.name))].map(row),
    '',
  ]
}
