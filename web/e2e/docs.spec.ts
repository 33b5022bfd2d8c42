import { accessible, expect, signIn, test } from './lorry.ts'

test('the API reference is here, and what is tried goes to this server as whoever is signed in', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer', 'Asha Rao')
  await page.goto(`${server.url}/docs`)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('API reference')
  await expect(page.getByRole('button', { name: /GET.*v1.*me/ }).first()).toBeVisible()
  await accessible(page)
  await page.emulateMedia({ colorScheme: 'dark' })
  await accessible(page)

  await signIn(page, customer, '/docs')
  const operation = page.locator('.opblock', { has: page.locator('[data-path="/v1/me"]') }).first()
  await operation.locator('.opblock-summary-control').click()
  await operation.getByRole('button', { name: 'Execute' }).click()
  await expect(operation.locator('.live-responses-table')).toContainText(customer.email)
  await accessible(page)
  await page.emulateMedia({ colorScheme: 'light' })
  await accessible(page)
})

/** Without waiting for the page to lie still: dozens of them follow one another. */
const click = (element: Element) => (element as HTMLElement).click()

test('every example can be sent', async ({ page, server }) => {
  test.setTimeout(240_000)
  await signIn(page, await server.staff('admin'), '/docs')
  const operations = page.locator('.opblock')
  await expect(operations.first()).toBeVisible()
  const count = await operations.count()
  expect(count).toBeGreaterThan(40)
  const silent: string[] = []
  for (let i = 0; i < count; i++) {
    const operation = operations.nth(i)
    const what = String(await operation.locator('.opblock-summary-path').textContent())
    if (what.endsWith('/v1/ws')) continue // a socket: its messages are in asyncapi.yaml
    const toggle = operation.locator('.opblock-summary-control')
    await toggle.evaluate(click)
    await operation.getByRole('button', { name: 'Execute' }).click()
    const status = operation.locator('.live-responses-table .response-col_status').nth(1)
    const said = String(await status.textContent({ timeout: 15_000 }).catch(() => ''))
    if (!/^[2345]\d\d/.test(said)) silent.push(`${what}: ${said}`)
    await toggle.evaluate(click)
  }
  expect(silent).toEqual([])
})
