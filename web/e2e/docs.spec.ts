import type { Locator, Page } from '@playwright/test'
import { accessible, expect, signIn, test } from './lorry.ts'

/** The viewer draws only what is near the view: scrolls on, or back, until OPERATION is there, and lies in view. */
async function reach(page: Page, operation: Locator, by: number): Promise<void> {
  await expect(async () => {
    if ((await operation.count()) === 0) await page.mouse.wheel(0, by)
    await page.waitForTimeout(50)
    await operation.scrollIntoViewIfNeeded({ timeout: 1_000 })
  }).toPass({ intervals: [10], timeout: 30_000 })
}

test('the API reference is here, and what is tried goes to this server as whoever is signed in', async ({
  page,
  server,
}) => {
  const customer = await server.register('customer', 'Asha Rao')
  await page.goto(`${server.url}/docs`)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('API reference')
  await expect(page.locator('.opblock').first()).toBeVisible()
  await accessible(page)

  await signIn(page, customer, '/docs')
  const operation = page.locator('.opblock', { has: page.locator('[data-path="/v1/me"]') }).first()
  await reach(page, operation, 300)
  await operation.locator('.opblock-summary-control').click()
  await operation.getByRole('button', { name: 'Execute' }).click()
  await expect(operation.locator('.live-responses-table')).toContainText(customer.email)
  // The heading of a group that is out of view is not drawn, so those of its operations seem to skip a level.
  await accessible(page, ['heading-order'])
  await page.emulateMedia({ colorScheme: 'dark' })
  await accessible(page, ['heading-order'])
})

/** Without waiting for the page to lie still: it is long. */
const click = (element: Element) => (element as HTMLElement).click()

// One of each method, for the viewer sends them all alike, and takes seconds for each; that the server takes what is written of
// every operation is shown where the description is tested.
test('an example of each method can be sent', async ({ page, server }) => {
  await signIn(page, await server.staff('admin'), '/docs')
  await expect(page.locator('.opblock').first()).toBeVisible()
  for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
    await page.mouse.wheel(0, 1_000_000)
    const last = page.locator(`.opblock-${method}`).last() // those of oneself come first, and one of them ends the session
    await reach(page, last, -200)
    const operation = page.locator(`#${await last.getAttribute('id')}`) // which is the last drawn changes as it opens
    await operation.locator('.opblock-summary-control').evaluate(click)
    await operation.evaluate((element) => element.scrollIntoView()) // what it opened is drawn where it is in view
    await operation.getByRole('button', { name: 'Execute' }).evaluate(click)
    await expect(operation.locator('.live-responses-table .response-col_status').nth(1)).toHaveText(
      /^[2345]\d\d/,
    )
    await operation.locator('.opblock-summary-control').evaluate(click)
  }
})
