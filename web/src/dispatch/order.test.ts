import { expect, it } from 'vitest'
import type { Booking } from './jobs.ts'
import { byName, matches, needOf, ordered } from './order.ts'

const NOW = Date.parse('2026-11-29T12:00:00Z')
function job(id: string, part: Partial<Booking>): Booking {
  const stop = {
    index: 0,
    kind: 'pickup',
    lat: 57.7,
    lng: 11.9,
    address: 'Korsvägen',
    contact: null,
    state: 'pending',
    eta: null,
  }
  return {
    id,
    code: id.toUpperCase(),
    state: 'requested',
    created_at: '2026-11-29T11:59:30Z',
    stops: [stop],
    driver: null,
    vehicle_plate: null,
    ...part,
  } as Booking
}
const eta = (at: string) => [{ ...job('x', {}).stops[0], eta: at }] as Booking['stops']

it('tells what needs somebody', () => {
  expect(needOf(job('a', {}), NOW)).toBe('unassigned')
  expect(needOf(job('a', { created_at: '2026-11-29T11:58:00Z' }), NOW)).toBe('unassigned-late')
  expect(needOf(job('a', { state: 'assigned', stops: eta('2026-11-29T11:59:00Z') }), NOW)).toBe('late')
  expect(needOf(job('a', { state: 'assigned', stops: eta('2026-11-29T12:10:00Z') }), NOW)).toBe('none')
  expect(needOf(job('a', { state: 'arrived_pickup' }), NOW)).toBe('none')
})

it('puts what needs somebody first, the oldest of equals before the younger', () => {
  const list = [
    job('fine', { state: 'picked_up' }),
    job('young', { created_at: '2026-11-29T11:59:50Z' }),
    job('open', { created_at: '2026-11-29T11:59:40Z' }),
    job('late', { state: 'assigned', stops: eta('2026-11-29T11:59:00Z') }),
    job('stuck', { created_at: '2026-11-29T11:50:00Z' }),
  ]
  expect(ordered(list, NOW).map((b) => b.id)).toEqual(['stuck', 'late', 'open', 'young', 'fine'])
})

it('is found by code, address, driver and plate', () => {
  const b = job('ab12', {
    driver: { id: 'drv_1', name: 'Ola Berg', phone: null, rating: null },
    vehicle_plate: 'XYZ789',
  })
  for (const text of ['ab1', 'korsv', 'ola', 'xyz', '  ', '']) expect(matches(b, text)).toBe(true)
  expect(matches(b, 'nobody')).toBe(false)
})

it('orders vehicles as the language does, anew only where something has changed', () => {
  let compared = 0
  const { compare } = new Intl.Collator('sv')
  const counting = (a: string, b: string) => {
    compared++
    return compare(a, b)
  }
  const named = (...names: string[]) => new Map(names.map((name) => [name, { id: name, name }]))
  const order = (all: ReturnType<typeof named>, before: { id: string; name: string }[]) =>
    byName(all, before, counting).map((v) => v.id)
  expect(order(named('Örjan', 'åke', 'Bo', 'Åsa', 'anna'), [])).toEqual(['anna', 'Bo', 'åke', 'Åsa', 'Örjan'])

  const many = Array.from({ length: 2000 }, (_, n) => `Driver ${(n * 7919) % 2000}`)
  const first = byName(named(...many), [], counting)
  compared = 0
  const again = byName(named(...many.slice(1), 'Åsa'), first, counting)
  expect(compared).toBeLessThan(2 * many.length)
  expect(again.map((v) => v.name)).toEqual([...many.slice(1), 'Åsa'].sort(compare))
})
