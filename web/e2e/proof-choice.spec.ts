/** While booking: what must be shown before a stop is done. */
import { accessible, test as base, expect, ownServer, type Schemas, type Server, signIn } from './lorry.ts'

const test = base.extend<{ house: Server }>({
  house: ownServer(['--proof', 'photo'], false),
})

test('a customer chooses what each stop is proven by: as usual, nothing, or some; and sees it before he books', async ({
  page,
  house: server,
}) => {
  await page.setViewportSize({ width: 320, height: 640 })
  const customer = await server.register('customer')
  const before = await server.book(customer)
  await customer.call('POST', `/v1/bookings/${before.id}/cancel`, {})
  const asked = async (id: string) =>
    (await customer.call<Schemas['Booking']>('GET', `/v1/bookings/${id}`)).stops.map(
      (s) => s.proof?.required ?? [],
    )
  expect(await asked(before.id)).toEqual([[], ['photo']]) // what this house asks for
  await signIn(page, customer, `/book/${before.id}`)
  const review = async () => {
    await page.getByRole('button', { name: 'Book this again' }).click()
    await page.getByRole('radio', { name: /^Van/ }).check()
    await page.getByRole('button', { name: /Continue with Van/ }).click()
  }
  const stop = (name: string) => page.getByRole('group', { name: new RegExp(`^(Pickup|Drop-off).*${name}`) })
  const booked = async () => {
    await page.getByRole('button', { name: /^Book Van/ }).click()
    await page.waitForURL((url) => /bkg_/.test(url.pathname) && !url.pathname.endsWith(before.id))
    return page.url().split('/').at(-1) ?? ''
  }

  // With the keyboard: the pickup by name and photo, the drop-off by a PIN in place of the photo.
  await review()
  await expect(stop('Drottningtorget').getByText('as usual', { exact: true })).toBeVisible()
  await stop('Drottningtorget').locator('summary').press('Enter')
  const of = (name: string) => page.getByRole('group', { name: `Proof at ${name}` })
  await of('Drottningtorget').getByRole('checkbox', { name: 'Photo of the goods' }).press('Space')
  await of('Drottningtorget').getByRole('checkbox', { name: 'Name of who takes' }).press('Space')
  await expect(stop('Drottningtorget').getByText('photo and name')).toBeVisible()
  await stop('Korsvägen').locator('summary').press('Enter')
  const pin = of('Korsvägen').getByRole('checkbox', { name: 'PIN' })
  await pin.press('Space')
  await of('Korsvägen').getByRole('checkbox', { name: 'Photo' }).uncheck()
  await expect(stop('Korsvägen').getByText(/You see the PIN once it is booked/)).toBeVisible()
  await accessible(page)
  expect(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)).toBe(false)
  await page.reload() // what was chosen is kept
  await expect(stop('Korsvägen').getByText('PIN', { exact: true }).first()).toBeVisible()
  const id = await booked()
  expect(await asked(id)).toEqual([['photo', 'name'], ['pin']])
  await expect(page.getByText(/^PIN: \d{4}/)).toBeVisible() // to pass on
  await customer.call('POST', `/v1/bookings/${id}/cancel`, {})

  // The same once more, then nothing at all; and back to what is usual.
  await page.reload()
  await review()
  await expect(stop('Drottningtorget').getByText('photo and name')).toBeVisible()
  await stop('Korsvägen').locator('summary').click()
  await stop('Korsvägen').getByRole('button', { name: 'Ask for nothing' }).click()
  await expect(stop('Korsvägen').getByText('nothing', { exact: true })).toBeVisible()
  await stop('Drottningtorget').locator('summary').click()
  await stop('Drottningtorget').getByRole('button', { name: 'As usual' }).click()
  await expect(stop('Drottningtorget').getByText('as usual', { exact: true })).toBeVisible()
  expect(await asked(await booked())).toEqual([[], []])
})
