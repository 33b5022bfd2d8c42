import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accessible, BINARY, expect, HERE, Server, signIn, test } from './lorry.ts'

/** A street and a lake at HERE, as an extract. */
function extract(folder: string): string {
  const at = (i: number, n: number, e: number) =>
    `<node id="${i}" version="1" lat="${HERE.lat + n}" lon="${HERE.lng + e}"/>`
  const way = (i: number, nodes: number[], tags: string) =>
    `<way id="${i}" version="1">${nodes.map((n) => `<nd ref="${n}"/>`).join('')}${tags}</way>`
  const street = '<tag k="highway" v="primary"/><tag k="name" v="Sjögatan"/>'
  writeFileSync(
    join(folder, 'lake.osm'),
    `<?xml version="1.0"?><osm version="0.6">${at(1, 0, 0)}${at(2, 0, 0.02)}${at(3, 0.02, 0.02)}${at(4, 0.02, 0)}${way(
      1,
      [1, 2, 3],
      street,
    )}${way(2, [1, 2, 3, 4, 1], '<tag k="natural" v="water"/>')}</osm>`,
  )
  execFileSync('osmium', ['cat', '--no-progress', '-o', 'lake.osm.pbf', 'lake.osm'], { cwd: folder })
  execFileSync(BINARY, ['map', 'build', 'lake.osm.pbf'], { cwd: folder, stdio: 'ignore' })
  return join(folder, 'lake.mbtiles')
}

test('a map that the operator has built is drawn, light and dark, and says whose it is', async ({ page }) => {
  test.skip(!existsSync('/usr/bin/tilemaker') || !existsSync('/usr/bin/osmium'), 'tilemaker is not installed')
  const folder = mkdtempSync(join(tmpdir(), 'lorry-map-'))
  const server = new Server(['--map', extract(folder)], false)
  await server.start()
  try {
    const customer = await server.register('customer')
    const booking = await server.book(customer)
    const tile = page.waitForResponse(
      (r) => /\/v1\/map\/tiles\/\d+\/\d+\/\d+/.test(r.url()) && r.status() === 200,
    )
    await signIn(page, customer, `/book/${booking.id}`)
    expect((await tile).headers()['content-encoding']).toBe('gzip')
    await expect(page.getByText('© OpenStreetMap contributors')).toBeVisible()
    await accessible(page)
    await page.emulateMedia({ colorScheme: 'dark' })
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
    await expect(page.getByText('© OpenStreetMap contributors')).toBeVisible()
    await accessible(page)
  } finally {
    await server.stop()
    server.remove()
    rmSync(folder, { recursive: true })
  }
})
