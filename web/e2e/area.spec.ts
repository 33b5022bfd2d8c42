/** The service area on the map: drawn, mended, weighed, saved, gone back to; by mouse, by keys and by a list. */
import type { Page } from '@playwright/test'
import { accessible, expect, type Person, type Schemas, Server, signIn, test } from './lorry.ts'
import { looksRight } from './pages.ts'

const own = test.extend<{ alone: Server; admin: Person }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
  alone: async ({}, use) => {
    const server = new Server([], false)
    await server.start()
    await use(server)
    await server.stop()
    server.remove()
  },
  admin: async ({ alone }, use) => use(await alone.staff('admin')),
})
const ring = (w: number, s: number, e: number, n: number) => [
  [w, s],
  [e, s],
  [e, n],
  [w, n],
  [w, s],
]
const TOWN = { type: 'Polygon', coordinates: [ring(11.8, 57.6, 12.2, 57.8)] }
const areaNow = (admin: Person) => admin.call<Schemas['ServiceArea']>('GET', '/v1/service-area')
const list = (page: Page) => page.getByLabel(/^Corners of:/)
const handle = (page: Page) => page.getByRole('button', { name: /^Corner \d+ of/ })

type Place = { x: number; y: number }

async function saveIt(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'See what would change' }).press('Enter')
  await page.getByRole('button', { name: 'Save the area' }).press('Enter')
  await page.getByRole('alertdialog').getByRole('button', { name: 'Save the area' }).press('Enter')
}

own(
  'the area by keys: drawn, moved, weighed against last week, saved, gone back to',
  async ({ page, alone: server, admin }) => {
    own.slow()
    const customer = await server.register('customer')
    await server.book(customer)
    await admin.call('PUT', '/v1/service-area', { area: TOWN })
    await signIn(page, admin, '/admin/area')
    await expect(page.getByRole('row', { name: /Version 2 counts now/ })).toBeVisible()
    await accessible(page)
    await page.getByRole('link', { name: 'Change the area' }).press('Enter')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Change the area')
    await page.getByRole('button', { name: /^Area 1/ }).press('Enter')
    await expect(handle(page)).toHaveAccessibleName(/^Corner 1 of 4: 57\.6\d*, 11\.8\d*$/) // where, not about where
    await accessible(page)

    // A corner goes east by the arrow keys, one comes, one goes; each is undone by a key.
    const lng = async () => Number(await page.getByLabel('Longitude').inputValue())
    const before = await lng()
    await handle(page).press('ArrowRight')
    await expect.poll(lng).toBeGreaterThan(before)
    await handle(page).press('Control+z')
    await expect.poll(lng).toBe(before)
    await handle(page).press('Insert')
    await expect(handle(page)).toHaveAccessibleName(/Corner 2 of 5/)
    await handle(page).press('Delete')
    await expect(handle(page)).toHaveAccessibleName(/Corner 2 of 4/)
    await handle(page).press('PageDown')
    await expect(handle(page)).toHaveAccessibleName(/Corner 3 of 4/)

    // What is wrong is said at the ring, and nothing can be saved until it is mended.
    await list(page).fill('57.6, 11.8\n57.8, 12.2\n57.6, 12.2\n57.8, 11.8')
    await page.getByRole('button', { name: 'Use this list' }).press('Enter')
    const part = page.getByRole('listitem').filter({ hasText: /^Area 1/ })
    await expect(part).toContainText('crosses or touches itself')
    await expect(page.getByRole('button', { name: 'See what would change' })).toBeDisabled()
    await accessible(page)
    await list(page).fill('57.6, eleven')
    await page.getByRole('button', { name: 'Use this list' }).press('Enter')
    await expect(list(page)).toHaveAccessibleDescription(/Line 1/)
    // The booking's drop-off is left out.
    await list(page).fill(`57.7, 11.8\n57.7, 12.2\n57.8, 12.2\n57.8, 11.8`)
    await page.getByRole('button', { name: 'Use this list' }).press('Enter')
    await expect(part).not.toContainText('crosses')

    // A hole, by the middle of the map alone; it lies across the border, and is mended by its list.
    await page.getByRole('button', { name: 'Draw a hole' }).press('Enter')
    for (let i = 0; i < 3; i++)
      await page.getByRole('button', { name: 'Corner in the middle of the map' }).press('Enter')
    await page.getByRole('button', { name: 'Finish' }).press('Enter')
    await expect(page.getByRole('listitem').filter({ hasText: 'Hole 1 in area 1' })).toContainText('⚠')
    await list(page).fill('57.75, 12.0\n57.75, 12.1\n57.77, 12.1')
    await page.getByRole('button', { name: 'Use this list' }).press('Enter')
    await expect(page.getByText('⚠')).toHaveCount(0)

    await page.getByRole('button', { name: 'See what would change' }).press('Enter')
    const weighed = page.getByRole('region', { name: 'What would change' })
    await expect(weighed).toContainText(/− 2\d\d(\.\d)? km²/) // half of 24 km by 22 km, and the hole
    await expect(weighed).toContainText('1 of 1 bookings')
    await accessible(page)
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
    await accessible(page)
    await weighed.getByRole('button', { name: 'Save the area' }).press('Enter')
    await accessible(page)
    await page.getByRole('alertdialog').getByRole('button', { name: 'Save the area' }).press('Enter')
    await expect(page.getByRole('row', { name: /Version 3 counts now/ })).toBeVisible()
    const now = await areaNow(admin)
    expect(now.area?.coordinates[0]).toHaveLength(2)
    expect(now.area?.coordinates[0]?.[1]).toHaveLength(4)

    // And back to what was before.
    await page.getByRole('button', { name: 'Version 2' }).press('Enter')
    await page.getByRole('link', { name: 'Begin from this one' }).press('Enter')
    await saveIt(page)
    await expect(page.getByRole('row', { name: /Version 4 counts now/ })).toBeVisible()
    expect((await areaNow(admin)).area?.coordinates).toEqual([TOWN.coordinates])
  },
)

own(
  'the area by mouse: corners are dragged, edges bent, an area pressed together; a file in and out',
  async ({ page, admin }) => {
    own.slow()
    await admin.call('PUT', '/v1/service-area', { area: TOWN })
    await signIn(page, admin, '/admin/area/edit')
    await page.getByRole('button', { name: /^Area 1/ }).click()
    const at = async () => {
      const box = await handle(page).boundingBox()
      if (box === null) throw new Error('no corner is shown')
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 }
    }
    const field = async (name: string) => Number(await page.getByLabel(name, { exact: true }).inputValue())
    const wait = () => page.waitForTimeout(400) // the map comes to rest
    await expect(handle(page)).toBeVisible()
    await wait()
    const first = await at()
    await page.mouse.move(first.x, first.y)
    await page.mouse.down()
    await page.mouse.move(first.x + 30, first.y - 20, { steps: 4 })
    await page.mouse.up()
    await expect.poll(() => field('Longitude')).toBeGreaterThan(11.8)
    await expect.poll(() => field('Latitude')).toBeGreaterThan(57.6)
    await page.getByRole('button', { name: 'Undo' }).click() // a drag is one step
    await expect.poll(() => field('Longitude')).toBe(11.8)
    await expect(page.getByRole('button', { name: 'Undo' })).toBeDisabled()

    // The middle of the southern edge becomes a corner.
    await page.getByRole('button', { name: 'Next corner' }).click()
    const second = await at()
    await page.mouse.move((first.x + second.x) / 2, (first.y + second.y) / 2)
    await page.mouse.down()
    await page.mouse.move((first.x + second.x) / 2, first.y + 15, { steps: 4 })
    await page.mouse.up()
    await expect(handle(page)).toHaveAccessibleName(/Corner 2 of 5/)

    // Without a drag: the corner goes where the map is pressed.
    await page.getByRole('button', { name: 'Move by pressing the map' }).click()
    await page.mouse.click(first.x + 60, first.y - 30)
    await expect.poll(() => field('Latitude')).toBeGreaterThan(57.6)

    // Another area, pressed corner by corner into the town's north-eastern part.
    await page.getByRole('button', { name: 'Draw an area' }).click()
    for (const [dx, dy] of [
      [40, -60],
      [70, -60],
      [70, -90],
    ] as const)
      await page.mouse.click(first.x + dx, first.y + dy)
    await page.getByRole('button', { name: 'Finish' }).click()
    await expect(page.getByRole('button', { name: /^Area 2/ })).toHaveAttribute('aria-pressed', 'true')

    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export GeoJSON' }).click()
    const file = await (await download).path()
    await page.getByRole('button', { name: 'Remove this part' }).click()
    await expect(page.getByRole('button', { name: /^Area 2/ })).toHaveCount(0)
    await page
      .locator('input[type=file]')
      .setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{}') })
    await expect(page.getByRole('alert')).toContainText('not GeoJSON')
    await page.locator('input[type=file]').setInputFiles(file)
    await expect(page.getByRole('button', { name: /^Area 2/ })).toBeVisible()
    await saveIt(page)
    await expect(page.getByRole('row', { name: /Version 3 counts now/ })).toBeVisible()
    expect((await areaNow(admin)).area?.coordinates).toHaveLength(2)
  },
)

own(
  'an area that somebody else has saved meanwhile, and one that is left without saving: nothing is lost',
  async ({ page, admin }) => {
    own.slow()
    await admin.call('PUT', '/v1/service-area', { area: TOWN })
    await signIn(page, admin, '/admin/area')
    await page.getByRole('link', { name: 'Change the area' }).click()
    await page.getByRole('button', { name: /^Area 1/ }).click()
    await list(page).fill('57.6, 11.8\n57.6, 12.2\n57.8, 12.2')
    await page.getByRole('button', { name: 'Use this list' }).click()
    await admin.call('PUT', '/v1/service-area', { area: null })
    await saveIt(page)
    const told = page.getByRole('alert').filter({ hasText: 'Somebody else has changed this meanwhile' })
    await expect(told).toBeVisible()
    await told.getByRole('button', { name: 'Show what it is now' }).click()
    await expect(told).toBeHidden()
    await expect(list(page)).toHaveValue('57.6, 11.8\n57.6, 12.2\n57.8, 12.2')

    await page.getByRole('link', { name: 'Tariffs' }).click()
    const asked = page.getByRole('alertdialog', { name: 'Leave without saving?' })
    await expect(asked).toBeVisible()
    await accessible(page)
    await page.keyboard.press('Escape')
    await expect(list(page)).toHaveValue('57.6, 11.8\n57.6, 12.2\n57.8, 12.2')
    await page.evaluate(() => history.back())
    await asked.getByRole('button', { name: 'Stay here' }).click()
    await saveIt(page)
    await expect(page.getByRole('row', { name: /Version 4 counts now/ })).toBeVisible() // without being asked
    await page.getByRole('link', { name: 'Change the area' }).click()
    await page.getByRole('button', { name: 'Remove this part' }).click()
    await page.getByRole('link', { name: 'Tariffs' }).click()
    await asked.getByRole('button', { name: 'Leave without saving' }).click()
    await expect(page).toHaveURL(/\/admin\/tariffs$/)
    expect((await areaNow(admin)).version).toBe(4)
  },
)

/** Chromium takes a tap that comes sooner than a hand can, after a quick swipe, for one that stops a scroll: no click is made of
 * it (seen 137 ms after, on a fast machine). */
const HAND_MS = 400

/** One finger, which goes from a place to another and lifts there. */
async function swipe(page: Page, from: Place, to: Place): Promise<void> {
  const client = await page.context().newCDPSession(page)
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', at?: Place) =>
    client.send('Input.dispatchTouchEvent', { type, touchPoints: at === undefined ? [] : [at] })
  await touch('touchStart', from)
  for (let i = 1; i <= 5; i++)
    await touch('touchMove', { x: from.x + ((to.x - from.x) * i) / 5, y: from.y + ((to.y - from.y) * i) / 5 })
  await touch('touchEnd')
  await client.detach()
  await page.waitForTimeout(HAND_MS)
}

own.describe('by finger', () => {
  own.use({ hasTouch: true, viewport: { width: 1280, height: 720 } })
  own(
    'the area by finger: a corner goes with it, an edge bends, elsewhere the map moves',
    async ({ page, admin }) => {
      own.slow()
      await admin.call('PUT', '/v1/service-area', { area: TOWN })
      await signIn(page, admin, '/admin/area/edit')
      await page.getByRole('button', { name: /^Area 1/ }).tap()
      await expect(handle(page)).toBeVisible()
      await page.waitForTimeout(400) // the map comes to rest
      const at = async () => {
        const box = await handle(page).boundingBox()
        if (box === null) throw new Error('no corner is shown')
        return { x: box.x + box.width / 2, y: box.y + box.height / 2 }
      }
      const field = async (name: string) => Number(await page.getByLabel(name, { exact: true }).inputValue())
      const first = await at()
      // A finger is less exact than a mouse: 15 px beside it is still the corner.
      await swipe(page, { x: first.x + 11, y: first.y - 10 }, { x: first.x + 51, y: first.y - 40 })
      await expect.poll(() => field('Longitude')).toBeGreaterThan(11.8)
      await expect.poll(() => field('Latitude')).toBeGreaterThan(57.6)
      await page.getByRole('button', { name: 'Undo' }).tap() // one step
      await expect.poll(() => field('Longitude')).toBe(11.8)
      await expect(page.getByRole('button', { name: 'Undo' })).toBeDisabled()

      await page.getByRole('button', { name: 'Next corner' }).tap()
      const second = await at()
      const middle = { x: (first.x + second.x) / 2, y: first.y }
      await swipe(page, middle, { x: middle.x, y: middle.y - 30 })
      await expect(handle(page)).toHaveAccessibleName(/Corner 2 of 5/)
      await expect.poll(() => field('Latitude')).toBeGreaterThan(57.6)

      // Far from corners and edges it is the map that goes, and nothing of the area.
      const [lat, lng] = [await field('Latitude'), await field('Longitude')]
      const before = await at()
      await swipe(page, { x: middle.x, y: middle.y - 120 }, { x: middle.x + 30, y: middle.y - 160 })
      await expect.poll(async () => (await at()).y).toBeLessThan(before.y - 20)
      expect([await field('Latitude'), await field('Longitude')]).toEqual([lat, lng])
      await accessible(page)
    },
  )
})

own('a dispatcher sees the area and changes nothing', async ({ page, alone: server }) => {
  await signIn(page, await server.staff('dispatcher'), '/admin/area')
  await expect(page.getByText('any place is served')).toBeVisible()
  await expect(page.getByRole('link', { name: 'Change the area' })).toBeHidden()
  await page.goto(`${server.url}/admin/area/99`)
  await expect(page.getByRole('alert')).toBeVisible()
})

own('the area and its versions fit a narrow phone in every language', async ({ page, admin }) => {
  own.slow()
  await admin.call('PUT', '/v1/service-area', { area: TOWN })
  await signIn(page, admin, '/admin/area')
  for (const path of ['/admin/area', '/admin/area/2']) await looksRight(page, path)
})

own("the area's editor fits a narrow phone in every language", async ({ page, admin }) => {
  own.slow()
  await admin.call('PUT', '/v1/service-area', { area: TOWN })
  await signIn(page, admin, '/admin/area')
  await looksRight(page, '/admin/area/edit')
})
