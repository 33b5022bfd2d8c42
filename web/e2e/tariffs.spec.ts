/** The tariffs: the next version is written, weighed, published and compared. */
import { accessible, expect, HERE, type Schemas, signIn, test } from './lorry.ts'
import { looksRight } from './pages.ts'

test('an admin writes the next tariffs, sees what last week would have cost, publishes and compares them', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  const customer = await server.register('customer')
  const driver = await server.driver(HERE)
  const booking = await server.book(customer)
  await signIn(page, admin, '/admin/tariffs')
  await expect(page.getByRole('row', { name: /in force/ })).toHaveCount(1)
  await accessible(page)
  await page.getByRole('link', { name: 'Change the tariffs' }).press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Change the tariffs')
  await accessible(page)

  // What is wrong is said at the field, by the page and by the server.
  const van = page.getByRole('group', { name: 'Rate 3' })
  await van.getByLabel('Start').fill('ninety')
  await page.getByRole('button', { name: 'See what last week would have cost' }).press('Enter')
  await expect(van.getByLabel('Start')).toHaveAccessibleDescription(/An amount/)
  await accessible(page)
  await van.getByLabel('Start').fill('199,50')
  await page.getByLabel('At night').check()
  await page.getByLabel('Added, %').fill('900')
  await page.getByRole('button', { name: 'See what last week would have cost' }).press('Enter')
  await expect(page.getByLabel('Added, %')).toHaveAttribute('aria-invalid', 'true')
  await expect(page.getByLabel('Added, %')).toHaveAccessibleDescription(/400/)
  await expect(page.getByLabel('Added, %')).toBeFocused()
  await expect(van.getByLabel('Start')).toHaveValue('199,50')

  await page.getByLabel('Added, %').fill('25')
  await page.getByRole('button', { name: 'Add a tax' }).press('Enter')
  await page.getByLabel('Name of tax 1').fill('VAT')
  await page.getByLabel('Rate of tax 1, %').fill('25')
  await page.getByLabel('Note').fill('Vans cost more')
  await page.getByRole('button', { name: 'See what last week would have cost' }).press('Enter')
  const weighed = page.getByRole('region', { name: 'What last week would have cost' })
  await expect(weighed.getByRole('row', { name: /^Van/ })).toContainText('▲')
  await expect(weighed.getByRole('row', { name: /Start/ })).toContainText('SEK 199.50')
  await accessible(page)
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
  await accessible(page)
  await weighed.getByRole('button', { name: 'Publish' }).press('Enter')
  await expect(page.getByRole('alertdialog')).toContainText('at once')
  await accessible(page)
  await page.getByRole('alertdialog').getByRole('button', { name: 'Publish' }).press('Enter')
  await expect(page.getByRole('status').filter({ hasText: 'holds now' })).toBeVisible()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(/Version \d+/)
  await expect(page.getByRole('row', { name: /Start.*SEK 99.*SEK 199\.50/ })).toBeVisible()
  await expect(page.getByText('Vans cost more')).toBeVisible()
  await accessible(page)

  const now = await admin.call<Schemas['Tariffs']>('GET', '/v1/tariffs')
  expect(now.items.find((i) => i.vehicle === 'van')?.base).toBe(19950)
  expect(now.night).toEqual({ from: '22:00', to: '06:00', add_percent: 25 })
  expect(now.taxes).toEqual([{ name: 'VAT', rate_bp: 2500 }])
  await page.getByRole('link', { name: 'All versions' }).click()
  await expect(page.getByRole('row', { name: /in force/ })).toContainText(`Version ${now.version}`)
  await expect(page.getByRole('row', { name: /in force/ })).toContainText('Bea Boss')
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})

test('tariffs that somebody else has published meanwhile: nothing typed is lost', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  await signIn(page, admin, '/admin/tariffs/new')
  await page.getByRole('group', { name: 'Rate 1' }).getByLabel('Per km').fill('12.34')
  const {
    version: _,
    next_cursor: __,
    created_at: ___,
    effective_at: ____,
    ...body
  } = await admin.call<Schemas['Tariffs']>('GET', '/v1/tariffs')
  await admin.call('PUT', '/v1/tariffs', body)
  await page.getByRole('button', { name: 'See what last week would have cost' }).click()
  await page.getByRole('button', { name: 'Publish' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'Publish' }).click()
  const told = page.getByRole('alert').filter({ hasText: 'Somebody else has changed this meanwhile' })
  await expect(told).toBeVisible()
  await told.getByRole('button', { name: 'Show what it is now' }).click()
  await expect(told).toBeHidden()
  await expect(page.getByRole('group', { name: 'Rate 1' }).getByLabel('Per km')).toHaveValue('12.34')
  await page.getByRole('button', { name: 'Publish' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'Publish' }).click()
  await expect(page.getByRole('status').filter({ hasText: 'holds now' })).toBeVisible()
})

test('a dispatcher reads the tariffs and changes nothing', async ({ page, server }) => {
  await signIn(page, await server.staff('dispatcher'), '/admin/tariffs/1')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Version 1')
  await expect(page.getByRole('link', { name: 'Begin from this' })).toBeHidden()
  await expect(page.getByRole('row', { name: /Per km/ }).first()).toBeVisible()
})

test('the tariffs fit a narrow phone, dark and light, in every language', async ({ page, server }) => {
  test.slow()
  await signIn(page, await server.staff('admin'), '/admin/tariffs')
  for (const path of ['/admin/tariffs', '/admin/tariffs/1', '/admin/tariffs/new'])
    await looksRight(page, path)
})
