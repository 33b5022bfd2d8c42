/** Places: where the platform serves, and what whoever asks outside of it is shown. */
import type { Page } from '@playwright/test'
import { accessible, test as base, expect, HERE, ownServer, type Server, signIn } from './lorry.ts'

const test = base.extend<{ alone: Server }>({
  alone: ownServer([], false), // others would be outside, too
})

const ring = (w: number, s: number, e: number, n: number) => [
  [w, s],
  [e, s],
  [e, n],
  [w, n],
  [w, s],
]

/** How many dots of the map as it is seen have this colour. */
async function dotsOf(page: Page, colour: [number, number, number]): Promise<number> {
  const png = await page.locator('.maplibregl-canvas').screenshot()
  return page.evaluate(
    async ([base64, [r, g, b]]) => {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
      const image = await createImageBitmap(new Blob([bytes]))
      const canvas = new OffscreenCanvas(image.width, image.height)
      const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D
      context.drawImage(image, 0, 0)
      const { data } = context.getImageData(0, 0, image.width, image.height)
      let dots = 0
      for (let i = 0; i < data.length; i += 4)
        if (
          Math.abs(Number(data[i]) - r) +
            Math.abs(Number(data[i + 1]) - g) +
            Math.abs(Number(data[i + 2]) - b) <
          12
        )
          dots++
      return dots
    },
    [png.toString('base64'), colour] as const,
  )
}

test('a stop outside: the border is drawn, and the nearest place inside is one press away', async ({
  page,
  alone: server,
}) => {
  const customer = await server.register('customer')
  const before = await server.book(customer)
  await customer.call('POST', `/v1/bookings/${before.id}/cancel`, {})
  const admin = await server.staff('admin')
  const area = { type: 'Polygon', coordinates: [ring(HERE.lng - 0.05, 57.7, HERE.lng + 0.05, 57.75)] }
  await admin.call('PUT', '/v1/service-area', { area }) // the drop-off is south of it
  await signIn(page, customer, `/book/${before.id}`)
  await page.getByRole('button', { name: 'Book this again' }).click()
  await expect(page.getByRole('alert')).toContainText('outside the area that is served')
  const help = page.getByRole('region', { name: 'Stops outside the area' })
  await expect(help.getByRole('listitem')).toHaveCount(1)
  await expect(help.getByRole('listitem')).toContainText(/Stop 2, Korsvägen: 3\d\d m outside/)
  await expect.poll(() => dotsOf(page, [15, 118, 110])).toBeGreaterThan(300) // the accent's line, two wide
  await accessible(page)
  await help.getByRole('button', { name: 'Use the nearest place inside' }).press('Enter')
  await expect(page.getByRole('radio', { name: /^Van/ })).toBeVisible()
  await expect(help).toHaveCount(0)
})
