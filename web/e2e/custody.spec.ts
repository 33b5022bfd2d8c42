/** The chain of custody, saved from the pages of a booking, is what `lorry verify` takes. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { Page, TestInfo } from '@playwright/test'
import { BINARY, expect, type Schemas, type Server, signIn, test } from './lorry.ts'

test.use({ served: { flags: [], streets: false } })

/** Saves what PAGE shows of BOOKING by its button; what is said of it by whoever has nothing but the keys. */
async function verified(
  page: Page,
  server: Server,
  booking: Schemas['Booking'],
  info: TestInfo,
): Promise<string> {
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Save the proof of what happened' }).press('Enter')
  const file = await download
  expect(file.suggestedFilename()).toBe(`lorry-${booking.code}.custody.jsonl`)
  const keys = info.outputPath('jwks.json')
  writeFileSync(keys, await (await fetch(`${server.url}/.well-known/jwks.json`)).text())
  return execFileSync(BINARY, ['verify', await file.path(), '--keys', keys], { encoding: 'utf8' })
}

test('a customer saves the proof of what happened, and it is verified offline', async ({
  page,
  server,
}, info) => {
  test.slow()
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await signIn(page, customer, `/book/${booking.id}`)
  await expect(page.getByText('lorry verify')).toBeVisible()
  const said = await verified(page, server, booking, info)
  expect(said).toContain(`${booking.id}: 2 entries, 2 of them chained`)
})

test('a dispatcher saves it from the console, beside the timeline', async ({ page, server }, info) => {
  test.slow()
  const customer = await server.register('customer')
  const booking = await server.book(customer)
  await customer.call('POST', `/v1/bookings/${booking.id}/cancel`, {})
  await signIn(page, await server.staff('dispatcher'), `/dispatch?job=${booking.id}`)
  const detail = page.getByRole('complementary')
  await detail.getByText('What has happened').click()
  await expect(detail.getByText('lorry verify')).toBeVisible()
  expect(await verified(page, server, booking, info)).toContain(`${booking.id}: 2 entries, 2 of them chained`)
})
