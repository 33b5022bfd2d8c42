/** Reports: range and timezone, comparing, chart with its table, the file. */
import { readFileSync } from 'node:fs'
import { accessible, expect, HERE, signIn, test } from './lorry.ts'
import { looksRight } from './pages.ts'

test('nothing has happened yet: the page says so, and which clock it goes by', async ({ page, server }) => {
  const admin = await server.staff('admin')
  await signIn(page, admin, '/admin/reports')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Reports')
  await expect(page.getByText('Days and hours as the clocks show them in UTC.')).toBeVisible()
  await expect(page.getByText('Nothing happened in this period.')).toBeVisible()
  await accessible(page)
})

test('range and timezone, compare, CSV export, table view of every chart', async ({ page, server }) => {
  const admin = await server.staff('admin')
  const staff = await server.staff('dispatcher')
  const { items } = await admin.call<{ items: object[] }>('GET', '/v1/tariffs')
  await admin.call('PUT', '/v1/tariffs', { currency: 'SEK', timezone: 'Asia/Kolkata', items })
  const driver = await server.driver(HERE)
  const customer = await server.register('customer')
  await server.book(customer)
  const { id } = await server.accept(driver)
  await customer.call('POST', `/v1/bookings/${id}/cancel`, { reason: 'changed my mind' })
  await expect
    .poll(async () => {
      const report = await staff.call<{ totals: { cancelled: number } }>('GET', '/v1/reports/bookings')
      return report.totals.cancelled
    })
    .toBe(1)

  await signIn(page, staff, '/admin/reports')
  await expect(page.getByText('Days and hours as the clocks show them in Asia/Kolkata.')).toBeVisible()
  const chart = page.getByRole('img', { name: 'Chart: Requested.' })
  await expect(chart).toBeVisible()
  const table = page.getByRole('table')
  await expect(table.getByRole('row')).not.toHaveCount(0)
  await accessible(page)

  await page.getByRole('combobox', { name: 'Period', exact: true }).selectOption('week')
  await expect(page).toHaveURL(/from=\d{4}-\d\d-\d\d/)
  await expect(table.getByRole('row')).toHaveCount(8)
  const tick = page.getByLabel('Compare with the period before')
  await tick.click() // not check(): the tick follows the address, which React may take a moment over
  await expect(tick).toBeChecked()
  await expect(page.getByText('Before: 0').first()).toBeVisible()
  await page.getByRole('combobox', { name: 'Chart of' }).selectOption({ label: 'Cancelled' })
  await expect(page.getByRole('img', { name: 'Chart: Cancelled.' })).toBeVisible()
  await accessible(page)

  await page.getByRole('combobox', { name: 'By', exact: true }).selectOption('driver')
  await page.getByRole('combobox', { name: 'Report', exact: true }).selectOption('acceptance')
  await expect(table.getByRole('row', { name: /Ola Berg.*1.*100/ })).toBeVisible()
  const file = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download CSV' }).press('Enter')
  const download = await file
  expect(download.suggestedFilename()).toMatch(/^acceptance-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d\.csv$/)
  const text = readFileSync(await download.path(), 'utf8')
  expect(text).toMatch(/^driver,offers,accepted,.*previous_acceptance_rate\r\n"drv_\w{26}",1,1,0,0,1,/)

  await page.reload()
  await expect(page.getByRole('combobox', { name: 'Report', exact: true })).toHaveValue('acceptance')
  await page.getByRole('combobox', { name: 'Report', exact: true }).selectOption('earnings')
  await expect(
    page.getByRole('combobox', { name: 'By', exact: true }).getByRole('option', { name: 'Zone' }),
  ).toHaveCount(0)
  await looksRight(page, '/admin/reports?compare=previous')
})

test('a report that cannot be read is asked for again', async ({ page, server }) => {
  const admin = await server.staff('admin')
  await page.route(/\/v1\/reports\//, (route) => route.abort())
  await signIn(page, admin, '/admin/reports')
  const retry = page.getByRole('alert').getByRole('button', { name: 'Try again' })
  await expect(retry).toBeVisible({ timeout: 30_000 })
  await accessible(page)
  await page.unroute(/\/v1\/reports\//)
  await retry.press('Enter')
  await expect(page.getByText('Days and hours as the clocks show them')).toBeVisible()
})
