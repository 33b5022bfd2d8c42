import { accessible, expect, signIn, test } from './lorry.ts'

test('the API reference is here, and what is tried goes to this server as whoever is signed in', async ({
  page,
  server,
}) => {
  test.slow() // the viewer draws some 150 operations, and axe looks at them all, twice
  const customer = await server.register('customer', 'Asha Rao')
  await page.goto(`${server.url}/docs`)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('API reference')
  await expect(page.getByRole('button', { name: /GET.*v1.*me/ }).first()).toBeVisible()

  await signIn(page, customer, '/docs')
  const operation = page.locator('.opblock', { has: page.locator('[data-path="/v1/me"]') }).first()
  await operation.locator('.opblock-summary-control').click()
  await operation.getByRole('button', { name: 'Execute' }).click()
  await expect(operation.locator('.live-responses-table')).toContainText(customer.email)
  await accessible(page) // the page is long, and an audit of it takes seconds: once in each theme
  await page.emulateMedia({ colorScheme: 'dark' })
  await accessible(page)
})

/** Without waiting for the page to lie still: it is long. */
const click = (element: Element) => (element as HTMLElement).click()

// One of each method, for the viewer sends them all alike, and takes seconds for each; that the server takes what is written of
// every operation is shown where the description is tested.
test('an example of each method can be sent', async ({ page, server }) => {
  await signIn(page, await server.staff('admin'), '/docs')
  await expect(page.locator('.opblock').first()).toBeVisible()
  for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
    const operation = page.locator(`.opblock-${method}`).last()
    await operation.locator('.opblock-summary-control').evaluate(click)
    await operation.getByRole('button', { name: 'Execute' }).evaluate(click)
    await expect(operation.locator('.live-responses-table .response-col_status').nth(1)).toHaveText(
      /^[2345]\d\d/,
    )
    await operation.locator('.opblock-summary-control').evaluate(click)
  }
})
