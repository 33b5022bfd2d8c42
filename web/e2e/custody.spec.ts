/** The chain of custody, saved from the pages of a booking, is what `lorry verify` takes. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { BINARY, expect, signIn, test } from './lorry.ts'

test.use({ served: { flags: [], streets: false } })

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
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Save the proof of what happened' }).press('Enter')
  const file = await download
  expect(file.suggestedFilename()).toBe(`lorry-${booking.code}.custody.jsonl`)
  const keys = info.outputPath('jwks.json')
  writeFileSync(keys, await (await fetch(`${server.url}/.well-known/jwks.json`)).text())
  const said = execFileSync(BINARY, ['verify', await file.path(), '--keys', keys], { encoding: 'utf8' })
  expect(said).toContain(`${booking.id}: 2 entries, 2 of them chained`)
})
