/** Pictures of every page for docs/screens, light and dark, on a phone and at a desk: `npm run screens`. What they show is a small
 * city of this test's own, so that they can be made anew at any time; SCREENS=phone-dark makes a part of them, and
 * PAGES=book,drive some pages. */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Browser, BrowserContext, Page } from '@playwright/test'
import { expect, HERE, Server, signIn, test } from './lorry.ts'
import {
  accountShots,
  adminShots,
  type City,
  everybody,
  onTheRoad,
  type Shot,
  settle,
  shotsOf,
} from './shots.ts'

const folder = resolve(import.meta.dirname, '../../docs/screens')
const BYTES_MAX = 9_000_000
const sizes = { phone: { width: 390, height: 844 }, desk: { width: 1440, height: 900 } } as const
const schemes = ['light', 'dark'] as const

const wanted = (part: string) => ['1', part].includes(process.env.SCREENS ?? '')
const pages = process.env.PAGES?.split(',')

test.describe.configure({ timeout: 1_800_000, retries: 0 })

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
      return canvas.toDataURL('image/webp', 0.7)
    },
    `data:image/png;base64,${png.toString('base64')}`,
  )
  await page.close()
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')
}

/** All that the page has asked for has come; a map, which a phone fetches when it is touched, is drawn. */
async function drawn(page: Page, path: string): Promise<void> {
  const hasMap = /^\/(book($|\?|\/bkg_)|track|drive$|dispatch|admin\/area)/.test(path)
  if (hasMap) {
    await page.mouse.move(5, 5)
    await page.mouse.move(6, 6)
    await page
      .locator('.maplibregl-canvas')
      .first()
      .waitFor({ timeout: 10_000 })
      .catch(() => undefined) // its picture says so
  }
  await page.waitForLoadState('networkidle', { timeout: 10_000 }).catch(() => undefined)
  await page.waitForTimeout(hasMap ? 2_000 : 300)
}

async function shoot(page: Page, city: City, shot: Shot): Promise<Buffer> {
  await onTheRoad(city)
  await shot.before?.(page)
  await page.goto(new URL(shot.path, city.server.url).href)
  await expect(page.locator('h1').first()).toBeAttached()
  await drawn(page, shot.path)
  await shot.act?.(page)
  if (shot.act !== undefined) await page.waitForTimeout(1_000)
  await expect(page.getByText('This is not there'), shot.name).toHaveCount(0) // it would be a picture of nothing
  return page.screenshot({ animations: 'disabled' })
}

async function shootAll(browser: Browser, city: City, shots: Shot[]): Promise<void> {
  const blank = await browser.newContext()
  for (const who of everybody)
    for (const [size, viewport] of Object.entries(sizes))
      for (const colorScheme of schemes) {
        const mine = shots.filter((s) => s.who === who)
        if (!wanted(`${size}-${colorScheme}`) || mine.length === 0) continue
        const context = await browser.newContext({
          viewport,
          colorScheme,
          locale: 'en-GB',
          timezoneId: 'Europe/Stockholm',
          geolocation: { latitude: HERE.lat, longitude: HERE.lng },
          permissions: ['geolocation'],
        })
        const page = await context.newPage()
        page.setDefaultTimeout(30_000) // what is not there then is a fault, not a slow machine
        if (who !== null) await signIn(page, city[who])
        for (const shot of mine) {
          const png = await shoot(page, city, shot)
          writeFileSync(join(folder, `${shot.name}-${size}-${colorScheme}.webp`), await webp(blank, png))
        }
        await context.close()
      }
  await blank.close()
}

function writeList(shots: Shot[]): void {
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
}

test('every page, light and dark, on a phone and at a desk', async ({ browser, server }) => {
  expect(server.hasStreets, 'the maps would be empty: make streets').toBe(true)
  const empty = new Server([], false)
  await empty.start()
  try {
    const city = await settle(server)
    const shots = shotsOf(city, empty)
    for (const [who, found] of [
      ['customer', accountShots],
      ['admin', adminShots],
    ] as const) {
      const context = await browser.newContext({ locale: 'en-GB' })
      const page = await context.newPage()
      await signIn(page, city[who])
      shots.push(...(await found(page)))
      await context.close()
    }
    const some = shots.filter((s) => pages?.includes(s.name) ?? true)
    if (wanted('1') && pages === undefined) rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    await shootAll(browser, city, some)
    writeList(shots)
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    expect(bytes).toBeLessThan(BYTES_MAX)
  } finally {
    await empty.stop()
    empty.remove()
  }
})
