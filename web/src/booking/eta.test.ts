import { describe, expect, it } from 'vitest'
import type { Schemas } from '@/api/client.ts'
import { keepEtas, withEtas } from './eta.ts'

const times = (minute: number) => ({
  eta: `2026-11-29T12:${minute}:40Z`,
  eta_from: `2026-11-29T12:${minute}:00Z`,
  eta_to: `2026-11-29T12:${minute + 5}:00Z`,
})
const unknown = { eta: null, eta_from: null, eta_to: null }
const booking = (states: string[], driver: string | null = 'd1', known: object = { eta: null }) =>
  ({
    id: 'b1',
    driver: driver && { id: driver },
    stops: states.map((state, index) => ({ index, state, ...known })),
  }) as unknown as Schemas['Booking']

describe('the times of a booking', () => {
  it('are what the socket told last', () => {
    const first = withEtas(booking(['pending', 'pending']), {
      booking_id: 'b1',
      stops: [
        { index: 0, ...times(10) },
        { index: 1, ...times(30) },
      ],
    })
    expect(first.stops).toMatchObject([times(10), times(30)])
    const then = withEtas(first, { booking_id: 'b1', stops: [{ index: 0, ...unknown }] })
    expect(then.stops[0]).toEqual({ index: 0, state: 'pending', eta: null })
    expect(then.stops[1]).toMatchObject(times(30))
  })
  it('go on over news that have none, for the stops that are left', () => {
    const before = booking(['pending', 'pending', 'pending'], 'd1', times(20))
    const after = keepEtas(before, booking(['done', 'arrived', 'pending']))
    expect(after.stops.map((s) => s.eta_to)).toEqual([undefined, undefined, times(20).eta_to])
    expect(after.stops.map((s) => s.eta)).toEqual([null, null, times(20).eta])
  })
  it('end with the driver whose they were', () => {
    const before = booking(['pending'], 'd1', times(20))
    expect(keepEtas(before, booking(['pending'], 'd2')).stops[0]?.eta).toBeNull()
    expect(keepEtas(before, booking(['pending'], null)).stops[0]?.eta).toBeNull()
    expect(keepEtas(undefined, booking(['pending'])).stops[0]?.eta).toBeNull()
  })
})
