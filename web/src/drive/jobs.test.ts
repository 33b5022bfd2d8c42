import { describe, expect, it } from 'vitest'
import type { Schemas } from '@/api/client.ts'
import type { Act } from './acts.ts'
import { asDone, jobsOf, losing, taking } from './jobs.ts'

type Booking = Schemas['Booking']
const FREE_AT = '2026-11-30T10:00:00Z'

function job(id: string, state: Booking['state'], waits = false, version = 1): Booking {
  const stop = { index: 0, kind: 'pickup', lat: 1, lng: 1, state: 'done', eta: null }
  const last = {
    ...stop,
    index: 1,
    kind: 'dropoff',
    state: state === 'arrived_dropoff' ? 'arrived' : 'pending',
  }
  const driver = { id: 'd', name: null, phone: null, rating: null, ...(waits && { free_at: FREE_AT }) }
  return { id, code: id, state, version, driver, stops: [stop, last] } as unknown as Booking
}
const first = job('a', 'picked_up')
const second = job('b', 'assigned', true)

describe('what he has and what comes next', () => {
  it('are told apart in the list, whichever stands first', () => {
    expect(jobsOf([second, first])).toEqual({ now: first, next: second })
    expect(jobsOf([first])).toEqual({ now: first, next: null })
    expect(jobsOf([second])).toEqual({ now: second, next: null }) // the first has just ended
    expect(jobsOf([])).toEqual({ now: null, next: null })
  })
  it('follow the server: taken, begun, ended', () => {
    const both = taking({ now: first, next: null }, second)
    expect(both).toEqual({ now: first, next: second })
    expect(taking(both, job('a', 'arrived_dropoff', false, 2)).now?.state).toBe('arrived_dropoff')
    expect(taking(both, job('a', 'delivered', false, 3))).toEqual({ now: second, next: null })
    const begun = job('b', 'assigned', false, 2)
    expect(taking(both, begun)).toEqual({ now: first, next: begun }) // heard before the end of the first
    expect(taking(both, job('b', 'cancelled', false, 2))).toEqual({ now: first, next: null })
    expect(taking(both, job('c', 'delivered'))).toBe(both) // an old one
  })
  it('do not go back to what they were', () => {
    const both = { now: job('a', 'arrived_dropoff', false, 3), next: job('b', 'assigned', false, 3) }
    expect(taking(both, first)).toBe(both)
    expect(taking(both, second)).toBe(both)
  })
  it('may be lost', () => {
    expect(losing({ now: first, next: second }, 'b')).toEqual({ now: first, next: null })
    expect(losing({ now: first, next: second }, 'a')).toEqual({ now: second, next: null })
    expect(losing({ now: first, next: null }, 'c')).toEqual({ now: first, next: null })
  })
  it('go on without a network', () => {
    const at = job('a', 'arrived_dropoff')
    const act: Act = {
      id: 1,
      account: 'u',
      key: 'k',
      booking_id: 'a',
      code: 'a',
      status: 'delivered',
      stop: 1,
      at: '',
    }
    expect(asDone({ now: at, next: second }, [])).toEqual({ now: at, next: second })
    expect(asDone({ now: at, next: second }, [act])).toEqual({ now: second, next: null })
    expect(asDone({ now: at, next: null }, [act]).now?.state).toBe('delivered')
  })
})
