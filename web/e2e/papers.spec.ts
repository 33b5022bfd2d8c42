/** A driver's papers, vehicles and shifts; and the administrator who looks at them. */
import { deflateSync } from 'node:zlib'
import { accessible, expect, HERE, type Person, type Schemas, Server, signIn, test } from './lorry.ts'
import { looksRight } from './pages.ts'

/** A PNG of one grey pixel. */
function picture(): Buffer {
  const table = Array.from({ length: 256 }, (_, n) => {
    let c = n
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1
    return c >>> 0
  })
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const head = Buffer.alloc(4)
    head.writeUInt32BE(data.length)
    let crc = 0xffffffff
    for (const byte of body) crc = ((table[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8)) >>> 0
    const end = Buffer.alloc(4)
    end.writeUInt32BE((crc ^ 0xffffffff) >>> 0)
    return Buffer.concat([head, body, end])
  }
  const size = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0])
  const magic = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])
  return Buffer.concat([
    magic,
    chunk('IHDR', size),
    chunk('IDAT', deflateSync(Buffer.from([0, 128]))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

async function idOf(driver: Person): Promise<string> {
  return (await driver.call<{ id: string }>('GET', '/v1/driver')).id
}

test('a driver sends a document, adds a vehicle and says when he works', async ({ page, server }) => {
  const driver = await server.driver(HERE, 'van', 'Ola Berg')
  await signIn(page, driver, '/drive/papers')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your papers, vehicles and shifts')
  await expect(page.getByText('Nothing sent yet.')).toHaveCount(3)
  await accessible(page)

  await page.getByRole('button', { name: 'Send Insurance' }).press('Enter')
  await page.getByLabel('Picture or PDF: Insurance').setInputFiles({
    name: 'insurance.png',
    mimeType: 'image/png',
    buffer: picture(),
  })
  await page.getByLabel('Valid until').fill('2035-06-30')
  await accessible(page)
  await page.getByRole('button', { name: 'Send', exact: true }).press('Enter')
  await expect(page.getByText('waits to be looked at')).toBeVisible()
  await expect(page.getByText('Nothing sent yet.')).toHaveCount(2)
  await page.getByRole('button', { name: 'Show Insurance' }).press('Enter')
  await expect(page.getByRole('img', { name: 'Insurance' })).toBeVisible()
  await accessible(page)

  await page.getByRole('button', { name: 'Add a vehicle' }).press('Enter')
  await page.getByRole('radio', { name: 'Bike' }).check()
  await page.getByLabel('Number plate').fill('BIKE 7')
  await page.getByRole('button', { name: 'Add a vehicle' }).press('Enter')
  await expect(page.getByText('30 kg · 120 litres · 6 pieces')).toBeVisible()
  await page.getByRole('button', { name: 'Drive this one BIKE 7' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Drive this one ABC123' })).toBeVisible()
  await page.getByRole('button', { name: 'Remove BIKE 7' }).press('Enter')
  await expect(page.getByRole('alert')).toBeVisible() // on duty with it

  await page.getByRole('button', { name: 'Add a shift' }).press('Enter')
  await page.getByRole('button', { name: 'Add a shift' }).press('Enter')
  await page.getByRole('group', { name: 'Shift 2' }).getByLabel('Day').selectOption('Monday')
  await page.getByRole('button', { name: 'Save shifts and home zone' }).press('Enter')
  await expect(page.getByText('overlaps with shift 0')).toBeVisible()
  await page.getByRole('group', { name: 'Shift 2' }).getByLabel('Day').selectOption('Friday')
  await page.getByRole('button', { name: 'Save shifts and home zone' }).press('Enter')
  await expect(page.getByText('overlaps with shift 0')).toBeHidden()
  await expect
    .poll(async () => (await driver.call<{ shifts: unknown[] }>('GET', '/v1/driver/schedule')).shifts.length)
    .toBe(2)
  await looksRight(page, '/drive/papers')
})

test('an administrator finds who waits, rejects with a reason, approves, suspends', async ({
  page,
  server,
}) => {
  const admin = await server.staff('admin')
  const driver = await server.driver(HERE, 'van', 'Quanah Quill')
  const sent = await fetch(`${server.url}/v1/files`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${driver.session.access_token}`, 'Content-Type': 'image/png' },
    body: new Uint8Array(picture()),
  })
  const { id: file_id } = (await sent.json()) as { id: string }
  await driver.call('POST', '/v1/driver/documents', { kind: 'licence', file_id })

  await signIn(page, admin, '/admin/drivers')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Drivers')
  const tick = page.getByRole('checkbox', { name: 'Documents to look at' })
  await tick.click() // not check(): the tick follows the address, which React may take a moment over
  await expect(tick).toBeChecked()
  await accessible(page)
  await page.getByRole('searchbox').fill('quill')
  await expect(page.getByRole('row')).toHaveCount(2)
  await page.getByRole('button', { name: 'Quanah Quill' }).press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Quanah Quill')
  await page.getByRole('button', { name: 'Show Driving licence' }).press('Enter')
  await expect(page.getByRole('img', { name: 'Driving licence' })).toBeVisible()
  await accessible(page)

  await page.getByRole('button', { name: 'Reject Driving licence' }).press('Enter')
  await page.getByLabel('Reason').fill('The picture is blurred')
  await page.getByRole('button', { name: 'Reject', exact: true }).press('Enter')
  await expect(page.getByText('The picture is blurred')).toBeVisible()
  await page.getByRole('button', { name: 'Approve Driving licence' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Approve Driving licence' })).toBeHidden()

  await page.getByRole('button', { name: 'Suspend' }).press('Enter')
  await page.getByLabel('Reason').fill('complaints')
  await page.getByRole('button', { name: 'Suspend' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Approve the driver' })).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: 'Approve the driver' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Approve the driver' })).toBeHidden()
  await looksRight(page, `/admin/drivers/${await idOf(driver)}`)
  await looksRight(page, '/admin/drivers')
})

test("an admin adds a driver's vehicle, changes it and removes it, by the driver's own rules", async ({
  page,
}) => {
  const own = new Server()
  await own.start()
  const driver = await own.driver(HERE, 'van', 'Vera Wagner')
  const id = await idOf(driver)
  type Vehicles = { items: Schemas['OwnVehicle'][] }
  const plates = async () =>
    (await driver.call<Vehicles>('GET', '/v1/driver/vehicles')).items.map((v) => v.plate)
  await signIn(page, await own.staff('admin'), `/admin/drivers/${id}`)
  await page.getByRole('button', { name: 'Add a vehicle' }).press('Enter')
  const form = page.getByRole('form', { name: 'Add a vehicle' })
  await form.getByRole('radio', { name: 'Bike' }).check()
  await form.getByLabel('Number plate').fill('BIKE 7')
  await form.getByLabel('Load in kg').fill('50000')
  await accessible(page)
  await form.getByRole('button', { name: 'Add a vehicle' }).press('Enter')
  await expect(form.getByLabel('Load in kg')).toHaveAttribute('aria-invalid', 'true') // and what was typed stays
  await form.getByLabel('Load in kg').fill('')
  await form.getByRole('button', { name: 'Add a vehicle' }).press('Enter')
  await expect(page.getByText('30 kg · 120 litres · 6 pieces')).toBeVisible()
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible()

  await page.getByRole('button', { name: 'Change ABC123' }).press('Enter')
  const change = page.getByRole('form', { name: 'Save the vehicle' })
  await change.getByLabel('Number plate').fill('XYZ789')
  await change.getByRole('button', { name: 'Save the vehicle' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Change XYZ789' })).toBeVisible()
  expect((await driver.call<Schemas['Driver']>('GET', '/v1/driver')).vehicle).toMatchObject({
    plate: 'XYZ789',
    capacity_kg: 800,
  })

  await page.getByRole('button', { name: 'Remove XYZ789' }).press('Enter') // he is on duty with it
  const asked = page.getByRole('alertdialog', { name: 'Remove XYZ789?' })
  await accessible(page)
  await asked.getByRole('button', { name: 'Remove' }).press('Enter')
  await expect(asked.getByRole('alert')).toBeVisible()
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Remove BIKE 7' }).press('Enter')
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).press('Enter')
  await expect(page.getByRole('button', { name: 'Remove BIKE 7' })).toHaveCount(0)
  expect(await plates()).toEqual(['XYZ789'])
  await page.getByRole('link', { name: 'What was done' }).click()
  await expect(page.getByText('driver.vehicles').first()).toBeVisible()
  await own.stop()
  own.remove()
})

test('what cannot be read is said, with a way to try again', async ({ page, server }) => {
  const driver = await server.driver(HERE, 'van', 'Ola Berg')
  await page.route('**/v1/driver/documents', (route) => route.abort())
  await signIn(page, driver, '/drive/papers')
  await expect(page.getByRole('alert').first()).toBeVisible({ timeout: 20_000 })
  await page.unroute('**/v1/driver/documents')
  await page.getByRole('button', { name: 'Try again' }).first().click()
  await expect(page.getByText('Nothing sent yet.')).toHaveCount(3)
})

test('so many drivers that they are scrolled: on a phone their names can be read', async ({ page }) => {
  const own = new Server()
  await own.start()
  for (let i = 0; i < 30; i++) await (await own.register('driver')).call('GET', '/v1/driver')
  const admin = await own.staff('admin')
  await page.setViewportSize({ width: 390, height: 800 })
  for (const path of ['/admin/drivers', '/admin/cash']) {
    if (path === '/admin/drivers') await signIn(page, admin, path)
    else await page.goto(own.url + path)
    const name = page.getByRole('row').nth(1).getByRole('button')
    await expect(name).toBeVisible()
    expect((await name.boundingBox())?.width).toBeGreaterThan(110)
  }
  await own.stop()
  own.remove()
})

test('an admin sets when a driver works and from where, and the driver has it', async ({ page, server }) => {
  test.skip(!server.hasStreets, 'the streets of the demo city are not here')
  test.slow()
  const driver = await server.driver(HERE, 'van', 'Hanna Hem')
  const path = `/admin/drivers/${await idOf(driver)}`
  await signIn(page, await server.staff('admin'), path)
  await page.getByRole('button', { name: 'Add a shift' }).press('Enter')
  const shift = page.getByRole('group', { name: 'Shift 1' })
  await shift.getByLabel('Day').selectOption('Friday')
  await shift.getByLabel('Until').fill('16:30')
  await page.getByLabel('Rather works near a place').press('Space')
  const save = page.getByRole('button', { name: 'Save shifts and home zone' })
  await expect(save).toBeDisabled() // not without the place
  await page.getByRole('combobox', { name: 'The place' }).fill('järntorg')
  await page
    .getByRole('option', { name: /Järntorg/ })
    .first()
    .waitFor()
  await page.keyboard.press('Enter')
  await page.getByLabel('Radius in km').fill('300')
  await expect(page.getByLabel('Radius in km')).toHaveAccessibleDescription('From 0.1 to 200 km')
  await expect(save).toBeDisabled()
  await page.getByLabel('Radius in km').fill('2.5')
  await page.getByLabel('Only work that begins there').press('Space')
  await accessible(page)
  await save.press('Enter')
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible()
  const set = await driver.call<Schemas['Schedule']>('GET', '/v1/driver/schedule')
  expect(set.shifts).toEqual([{ day: 'fri', from: '08:00', to: '16:30' }])
  expect(set.home).toMatchObject({ name: expect.stringContaining('Järntorg'), radius_m: 2500, only: true })
  await looksRight(page, path)
  await page.reload() // in English again

  await page.getByRole('button', { name: 'Account and settings' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL('**/sign-in')
  await signIn(page, driver, '/drive/papers')
  await expect(page.getByRole('combobox', { name: 'The place' })).toHaveValue(/^Järntorg/)
  await page.getByLabel('Rather works near a place').press('Space') // he may leave it again
  await page.getByRole('button', { name: 'Save shifts and home zone' }).press('Enter')
  await expect
    .poll(async () => (await driver.call<Schemas['Schedule']>('GET', '/v1/driver/schedule')).home)
    .toBeNull()
  await driver.call('POST', '/v1/driver/duty', { duty: 'off' })
})
