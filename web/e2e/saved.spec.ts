/** Places that a customer has given a name: saved while booking, offered first, kept with the account. */
import { accessible, test as base, expect, ownServer, type Schemas, type Server, signIn } from './lorry.ts'
import { looksRight } from './pages.ts'

const test = base.extend<{ house: Server }>({
  house: ownServer(),
})
type Saved = { items: Schemas['SavedPlace'][] }

test('a place is saved while booking, offered first the next time, and brings who is there', async ({
  page,
  house: server,
}) => {
  test.skip(!server.hasStreets, 'the streets of the demo city are not here')
  const customer = await server.register('customer')
  const depot = { label: 'Depot', lat: 57.7102, lng: 11.98, address: 'Hamnen 4' }
  await customer.call('POST', '/v1/me/places', { ...depot, contact: { name: 'Li', phone: '+46701112233' } })
  await signIn(page, customer)
  const field = (name: string) => page.getByRole('combobox', { name, exact: true })
  const options = page.getByRole('option')

  await field('Pickup').fill('korsv')
  await options.filter({ hasText: 'Korsvägen' }).first().waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Save this place: Pickup' }).press('Enter')
  const name = page.getByRole('textbox', { name: 'Name of the place' })
  await expect(name).toBeFocused()
  await expect(page.getByRole('button', { name: 'Save', exact: true })).toBeDisabled() // it has no name yet
  await accessible(page)
  await page.keyboard.type('Grandma')
  await page.keyboard.press('Enter')
  await expect(page.getByText('Saved as Grandma')).toBeVisible()
  await expect(field('Pickup')).toBeVisible() // Enter saved it, and did not go on to the prices
  const { items } = await customer.call<Saved>('GET', '/v1/me/places')
  expect(items.map((p) => p.label)).toEqual(['Depot', 'Grandma'])

  // The saved ones come first, before anything is typed; the same place is not there twice.
  await field('Drop-off').focus()
  await expect(options.nth(0)).toHaveText(/Depot.*Hamnen 4/)
  await expect(options.nth(1)).toHaveText(/Grandma.*Korsv/)
  await expect(options).toHaveCount(3) // and the map
  // By a part of the name, before what the streets are called.
  await page.keyboard.type('dep')
  await expect(options.nth(0)).toHaveText(/Depot/)
  await page.keyboard.press('Enter')
  await expect(field('Drop-off')).toHaveValue('Hamnen 4')
  await expect(page.getByText('Saved as Depot')).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: 'See prices' }).click()
  await page.getByRole('radio', { name: /^Van/ }).check()
  await page.getByRole('button', { name: /Continue with Van/ }).click()
  const there = page.getByRole('group', { name: /Hamnen 4/ })
  await expect(there.getByRole('textbox').nth(0)).toHaveValue('Li')
  await expect(there.getByRole('textbox').nth(1)).toHaveValue('+46701112233')
})

test('saved places under the account: one is renamed, one removed and brought back; there may be 50', async ({
  page,
  house: server,
}) => {
  test.slow() // it is looked at in four languages
  const customer = await server.register('customer')
  const put = (label: string, lat = 57.7) =>
    customer.call<Schemas['SavedPlace']>('POST', '/v1/me/places', {
      label,
      lat,
      lng: 11.97,
      address: 'Nygatan 1',
    })
  await signIn(page, customer, '/account/places')
  await expect(page.getByText('You have saved no places yet')).toBeVisible()
  await expect(page.getByRole('link', { name: 'Book', exact: true }).last()).toHaveAttribute('href', '/book')
  await accessible(page)
  await put('Home')
  await put('Work', 57.71)
  await page.reload()

  await page.getByRole('button', { name: 'Change Home' }).press('Enter')
  const label = page.getByRole('textbox', { name: 'Name of the place' })
  await label.fill('')
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(label).toHaveAttribute('aria-invalid', 'true')
  await label.fill('Hem')
  await page.getByLabel('Phone').fill('12')
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(page.getByLabel('Phone')).toHaveAttribute('aria-invalid', 'true')
  await page.getByLabel('Phone').fill('+46701112233')
  await accessible(page)
  await page.getByRole('button', { name: 'Save' }).press('Enter')
  await expect(page.getByRole('heading', { name: 'Hem' })).toBeVisible()
  expect((await customer.call<Saved>('GET', '/v1/me/places')).items[0]).toMatchObject({
    label: 'Hem',
    lat: 57.7,
    contact: { phone: '+46701112233' },
  })

  await page.getByRole('button', { name: 'Remove Hem' }).press('Enter')
  await expect(page.getByRole('heading', { name: 'Hem' })).toBeHidden()
  expect((await customer.call<Saved>('GET', '/v1/me/places')).items).toHaveLength(1)
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(page.getByRole('heading', { name: 'Hem' })).toBeVisible()
  const after = (await customer.call<Saved>('GET', '/v1/me/places')).items
  expect(after.find((p) => p.label === 'Hem')).toMatchObject({
    lat: 57.7,
    contact: { phone: '+46701112233' },
  })
  await looksRight(page, '/account/places')

  // One that is taken back where there is no room any more: it says so.
  await page.goto(`${server.url}/account/places`)
  await page.getByRole('button', { name: 'Remove Hem' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Undo' })).toBeVisible()
  for (let i = 0; i < 49; i++) await put(`Place ${i}`)
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(page.getByText('You have saved as many places as there may be')).toBeVisible()
})
