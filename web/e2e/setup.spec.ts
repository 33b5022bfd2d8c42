import { accessible, expect, PASSWORD, Server, test } from './lorry.ts'

test.describe.configure({ timeout: 120_000 })
/** An empty platform, for this test alone. */
async function empty(work: (server: Server) => Promise<void>) {
  const server = new Server(['--demo-drivers', '3', '--demo-speed', '20'], false)
  await server.start()
  try {
    await work(server)
  } finally {
    await server.stop()
    server.remove()
  }
}

test('an empty platform greets: the code, the first administrator, what comes next', async ({ page }) => {
  await empty(async (server) => {
    await page.goto(server.url)
    await page.waitForURL('**/setup')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Set up this platform')
    await accessible(page)
    await page.getByLabel('Code from the server').fill('0000-0000-0000')
    await page.getByLabel('Name').fill('Ada Berg')
    await page.getByLabel('E-mail').fill('ada@example.com')
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Make the administrator' }).click()
    await expect(page.getByRole('alert')).toContainText('not the code')
    await expect(page.getByLabel('E-mail')).toHaveValue('ada@example.com')
    await accessible(page)

    await page.getByLabel('Code from the server').fill(server.setupCode.toLowerCase())
    await page.getByRole('button', { name: 'Make the administrator' }).click()
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('You run this platform now')
    await expect(page.getByRole('row', { name: /Van/ })).toContainText('SEK 99')
    await expect(page.getByLabel('Link for drivers')).toHaveValue(/register\?as=driver$/)
    await accessible(page)
    await page.emulateMedia({ colorScheme: 'dark' })
    await accessible(page)

    await page.getByRole('button', { name: 'Fill with the demo city' }).click()
    await expect(page.getByRole('status').filter({ hasText: 'on their way' })).toBeVisible()
    await page.getByRole('link', { name: 'Open the console' }).click()
    await expect(page.getByText(/[1-9]\d* vehicles/)).toBeVisible({ timeout: 60_000 })
  })
})

test('two browsers with the code at once: one makes the administrator, the other is told', async ({
  page,
  browser,
}) => {
  await empty(async (server) => {
    const second = await (await browser.newContext()).newPage()
    const pages = [page, second]
    for (const [i, each] of pages.entries()) {
      await each.goto(`${server.url}/setup`)
      await each.getByLabel('Code from the server').fill(server.setupCode)
      await each.getByLabel('Name').fill(`Person ${i}`)
      await each.getByLabel('E-mail').fill(`person${i}@example.com`)
      await each.getByLabel('Password').fill(PASSWORD)
    }
    await Promise.all(
      pages.map((each) => each.getByRole('button', { name: 'Make the administrator' }).click()),
    )
    const won = pages.map((each) =>
      each
        .getByText('You run this platform now')
        .or(each.getByText('This platform is set up already.'))
        .first(),
    )
    for (const each of won) await expect(each).toBeVisible()
    const words = await Promise.all(won.map((each) => each.textContent()))
    expect(words.toSorted()).toEqual(['This platform is set up already.', 'You run this platform now'])
    await second.context().close()

    const again = await fetch(`${server.url}/v1/setup/admin`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ code: server.setupCode, email: 'c@example.com', password: PASSWORD, name: 'C' }),
    })
    expect(again.status).toBe(409)
    await page.goto(`${server.url}/setup`)
  })
})
