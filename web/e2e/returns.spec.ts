/** What could not be handed over goes back: the driver is led there, everybody sees it, and the receipt says what it costs. */
import {
  accessible,
  test as base,
  expect,
  HERE,
  ownServer,
  type Schemas,
  type Server,
  signIn,
} from './lorry.ts'

/** A house where the way back costs half of the way there. */
const test = base.extend<{ house: Server }>({
  house: ownServer([], false, async (server) => {
    const admin = await server.staff('admin')
    await admin.call('PUT', '/v1/tariffs', {
      currency: 'SEK',
      items: [{ vehicle: 'van', base: 10000, per_km: 1000, per_minute: 0, minimum: 0 }],
      returns: { percent: 50 },
    })
  }),
})
test.use({
  viewport: { width: 390, height: 800 },
  permissions: ['geolocation'],
  geolocation: { latitude: HERE.lat, longitude: HERE.lng, accuracy: 8 },
})

test('goods that nobody takes go back: driver, customer, recipient and dispatcher see each step', async ({
  page,
  browser,
  house: server,
}) => {
  test.slow()
  const customer = await server.register('customer')
  const driver = await server.driver(HERE)
  const staff = await server.staff('dispatcher')
  const booking = await server.book(customer)
  await server.accept(driver)
  for (const status of ['arrived_pickup', 'picked_up', 'arrived_dropoff'])
    await driver.call('POST', `/v1/bookings/${booking.id}/status`, { status })
  const open = async (path: string, person?: typeof customer) => {
    const other = await (await browser.newContext()).newPage()
    if (person === undefined) await other.goto(server.url + path)
    else await signIn(other, person, path)
    return other
  }
  const [his, theirs, office] = await Promise.all([
    open(`/book/${booking.id}`, customer),
    open(`/track/${booking.tracking_token}`),
    open(`/dispatch?job=${booking.id}`, staff),
  ])
  const told = async (words: string) => {
    await expect(his.getByRole('heading', { level: 1 })).toContainText(words)
    await expect(theirs.getByRole('heading', { level: 1 })).toContainText(words)
    await expect(office.getByRole('heading', { level: 2 })).toContainText(words)
  }
  const heading = page.getByRole('heading', { level: 1 })
  const button = (name: string) => page.getByRole('button', { name })

  await signIn(page, driver)
  await expect(heading).toHaveText('At the drop-off')
  await button('It cannot be done').click()
  const dialog = page.getByRole('alertdialog')
  await expect(dialog).toContainText('The goods go back') // the job does not end here
  await dialog.getByLabel('Nobody is here').check()
  await accessible(page)
  await dialog.getByRole('button', { name: 'Take the goods back' }).click()

  await expect(heading).toHaveText('Drive back to the pickup')
  await expect(page.getByRole('region', { name: 'Return' })).toContainText('Drottningtorget')
  await accessible(page)
  await told('On its way back')
  await accessible(his)
  await button('I am back at the pickup').click()
  await expect(heading).toHaveText('Back at the pickup')
  await told('Back at the pickup')
  await page.getByLabel('Who takes the goods').fill('Asha Rao') // whoever gets them back is asked for, too
  await button('Save the proof').click()
  await button('The goods are handed back').click()
  await expect(heading).toContainText('On duty')
  await told('Brought back')
  await accessible(theirs)

  const now = await customer.call<Schemas['Booking']>('GET', `/v1/bookings/${booking.id}`)
  expect(now.state).toBe('returned')
  expect(now.price.items.map((i) => i.code)).toContain('return')
  await his.getByText(/Receipt/).click()
  await expect(his.getByRole('row', { name: /^Way back/ })).toBeVisible()
  await accessible(his)
  for (const other of [his, theirs, office]) await other.context().close()
})
