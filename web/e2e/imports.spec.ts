/** Bookings from a file: looked at first, then booked, each row once; and what is wrong with a row stands at it. */
import { accessible, test as base, expect, ownServer, type Server, signIn } from './lorry.ts'
import { looksRight } from './pages.ts'

const test = base.extend<{ house: Server }>({
  house: ownServer(),
})
const file = (text: string) => ({ name: 'monday.csv', mimeType: 'text/csv', buffer: Buffer.from(text) })
const head = 'reference,pickup_lat,pickup_lng,dropoff_lat,dropoff_lng,vehicle\n'
const good = '57.7089,11.9746,57.6969,11.9865,van\n'

test('a file is checked, its errors stand at their rows, and it is booked', async ({ page, house }) => {
  const customer = await house.register('customer')
  await signIn(page, customer)
  await page.goto(`${house.url}/account/imports`)
  await expect(page.getByText('No file has been sent yet')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Check the file' })).toBeDisabled()
  await page
    .getByLabel('File', { exact: true })
    .setInputFiles(file(`${head}one,${good}two,north,11.9746,57.6969,11.9865,van\nthree,${good}`))
  await page.getByRole('button', { name: 'Check the file' }).click()
  await expect(page.getByRole('status').filter({ hasText: 'Done' })).toContainText(
    '2 rows fine · 1 with errors',
  )
  await expect(page.getByText('nothing has been booked')).toBeVisible()
  const second = page.getByRole('listitem').filter({ hasText: 'Row 2' })
  await expect(second).toContainText('not booked')
  await expect(second).toContainText('pickup_lat: must be a number')
  await accessible(page)
  const bookings = async () => (await customer.call<{ items: object[] }>('GET', '/v1/bookings')).items.length
  expect(await bookings()).toBe(0)

  await page.getByRole('link', { name: 'All files' }).click()
  await page.getByLabel('File', { exact: true }).setInputFiles(file(`${head}one,${good}two,${good}`))
  await page.getByRole('button', { name: 'Book all rows' }).click()
  await expect(page.getByRole('status').filter({ hasText: 'Done' })).toContainText('2 rows fine')
  await expect(page.getByRole('listitem').filter({ hasText: 'Row 1' })).toContainText('booked')
  expect(await bookings()).toBe(2)
  await page.getByRole('link', { name: 'Open the booking of row 2' }).click()
  await expect(page).toHaveURL(/\/book\/bkg_/)

  await page.goto(`${house.url}/account/imports`)
  await page.getByLabel('File', { exact: true }).setInputFiles(file('price\n1\n'))
  await page.getByRole('button', { name: 'Check the file' }).click()
  await expect(page.getByRole('alert')).toBeVisible()
})

for (const which of ['the list of files', 'one file'])
  test(`${which} on a phone, in each language`, async ({ page, house }) => {
    const customer = await house.register('customer')
    await signIn(page, customer)
    await page.goto(`${house.url}/account/imports`)
    await page
      .getByLabel('File', { exact: true })
      .setInputFiles(file(`${head}one,${good}two,north,11.9746,57.6969,11.9865,van\n`))
    await page.getByRole('button', { name: 'Check the file' }).click()
    await expect(page.getByRole('status').filter({ hasText: 'Done' })).toBeVisible()
    await looksRight(page, which === 'one file' ? new URL(page.url()).pathname : '/account/imports')
  })
