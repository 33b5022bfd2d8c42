import { describe, expect, it } from 'vitest'
import type { Schemas } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { mustConfirm } from '@/cash/StopCash.tsx'
import {
  type Act,
  canWait,
  currentStop,
  missingAt,
  nextStep,
  type Port,
  replay,
  type Step,
  suggestedStep,
  withActs,
} from './acts.ts'

const booking = {
  id: 'b1',
  state: 'assigned',
  stops: [0, 1, 2].map((index) => ({
    index,
    kind: index ? 'dropoff' : 'pickup',
    state: 'pending',
    eta: null,
  })),
} as unknown as Schemas['Booking']

let ids = 0
const act = (status: Step, stop: number, booking_id = 'b1'): Act => ({
  id: ++ids,
  account: 'u',
  key: `k${ids}`,
  booking_id,
  code: 'L7K2QX',
  status,
  stop,
  at: '2026-11-29T12:00:00Z',
})
const whole = [
  act('arrived_pickup', 0),
  act('picked_up', 0),
  act('arrived_dropoff', 1),
  act('delivered', 1),
  act('arrived_dropoff', 2),
  act('delivered', 2),
]

describe('a booking with what waits to be sent', () => {
  it('is paid for once cash was said, less of it with its reason: offline, too, he may go on', () => {
    const stops = booking.stops.map((s) =>
      s.index === 1
        ? {
            ...s,
            state: 'arrived',
            cash: { currency: 'SEK', goods: 500, fare: 0, due: 500, collected: null },
          }
        : { ...s, state: s.index === 0 ? 'done' : s.state },
    )
    const there = { ...booking, state: 'arrived_dropoff', stops } as unknown as Schemas['Booking']
    const stopAfter = (more: Partial<Act>) =>
      withActs(there, [{ ...act('collect', 1), ...more }]).stops.find((s) => s.index === 1)
    expect(mustConfirm(stops[1] as Schemas['Stop'])).toBe(true)
    expect(mustConfirm(stopAfter({ amount: 500 }))).toBe(false)
    expect(mustConfirm(stopAfter({ amount: 300, reason: 'had no more' }))).toBe(false)
    expect(mustConfirm(stopAfter({ amount: 300 }))).toBe(true)
  })
  it('goes step by step, stop by stop', () => {
    const states = whole.map((_, n) => withActs(booking, whole.slice(0, n + 1)).state)
    const want = [
      'arrived_pickup',
      'picked_up',
      'arrived_dropoff',
      'picked_up',
      'arrived_dropoff',
      'delivered',
    ]
    expect(states).toEqual(want)
    expect(withActs(booking, whole).stops.map((s) => s.state)).toEqual(['done', 'done', 'done'])
    expect(nextStep('delivered')).toBeNull()
  })
  it('does not count twice what the server knows already', () => {
    const there = withActs(booking, whole.slice(0, 3))
    expect(withActs(there, whole.slice(0, 4))).toEqual(withActs(booking, whole.slice(0, 4)))
    expect(withActs(there, whole)).toEqual(withActs(booking, whole))
  })
  it('offers what his positions say, until he has said it, whether it was sent or not', () => {
    const suggestion = { status: 'arrived_dropoff', stop: 1 }
    const there = { ...withActs(booking, whole.slice(0, 2)), suggestion } as Schemas['Booking']
    expect(suggestedStep(booking)).toBeNull()
    expect(suggestedStep(there)).toBe('arrived_dropoff')
    expect(suggestedStep(withActs(there, whole.slice(2, 3)))).toBeNull()
    expect(suggestedStep(withActs(there, whole.slice(2, 4)))).toBeNull() // the same state, at the stop after it
  })
  it('shows what was proven as proven, and keeps what was not', () => {
    const proof = { required: ['pin', 'photo'], missing: ['pin', 'photo'], given: null }
    const asks = { ...booking, stops: booking.stops.map((s) => (s.index === 0 ? { ...s, proof } : s)) }
    const there = withActs(asks as unknown as Schemas['Booking'], [act('arrived_pickup', 0)])
    expect(missingAt(there.stops[0])).toEqual(['pin', 'photo'])
    expect(missingAt(asks.stops[0] as unknown as Schemas['Stop'])).toEqual([]) // not before he is there
    const given = withActs(there, [{ ...act('proof', 0), given: { pin: '4711' } }])
    expect(missingAt(given.stops[0])).toEqual(['photo'])
    expect(given.state).toBe('arrived_pickup')
  })
  it('leaves other bookings alone, and fails at a stop only', () => {
    expect(withActs(booking, [act('arrived_pickup', 0, 'b2')])).toEqual(booking)
    expect(withActs(booking, [act('failed', 0)]).state).toBe('assigned')
    expect(withActs(booking, [act('arrived_pickup', 0), act('failed', 0)]).state).toBe('failed')
  })
  it('goes on with the other stops where goods go back, and then back', () => {
    const way = [act('arrived_pickup', 0), act('picked_up', 0), act('arrived_dropoff', 1), act('failed', 1)]
    expect(withActs(booking, way).state).toBe('failed')
    const returns = { ...booking, returns: { percent: 100 } }
    expect(withActs(returns, way).state).toBe('picked_up')
    const all = [...way, act('arrived_dropoff', 2), act('delivered', 2)]
    const now = withActs(returns, all)
    expect([now.state, currentStop(now)]).toEqual(['returning', undefined])
    const back = { ...now.stops[0], index: 3, kind: 'return', state: 'pending' } as Schemas['Stop']
    const told = { ...now, stops: [...now.stops, back] }
    expect(nextStep('returning')).toBe('arrived_return')
    expect(withActs(told, [act('arrived_return', 3), act('returned', 3)]).state).toBe('returned')
    expect(withActs(returns, [...way.slice(0, 1), act('failed', 0)]).state).toBe('failed')
  })
})

/** A store with ACTS, and a server that answers the Nth sending with ANSWERS[N]: an error, or well. */
function rig(acts: Act[], answers: Record<number, Problem> = {}) {
  const sent: string[] = []
  const refused: string[] = []
  let left = [...acts]
  const port: Port = {
    first: async () => left[0],
    send: async (a) => {
      sent.push(a.key)
      const answer = answers[sent.length - 1]
      if (answer !== undefined) throw answer
    },
    done: async (a) => {
      left = left.filter((l) => l !== a)
    },
    refuse: async (a) => {
      refused.push(a.key)
      left = left.filter((l) => l.booking_id !== a.booking_id)
    },
  }
  return { port, sent, refused, left: () => left }
}
const keys = (acts: Act[]) => acts.map((a) => a.key)

describe('replay', () => {
  it('sends each once, oldest first', async () => {
    const r = rig(whole)
    expect(await replay(r.port)).toBe(true)
    expect(r.sent).toEqual(keys(whole))
    expect(r.left()).toEqual([])
  })
  it('stops where the server is away, and begins with the same key again', async () => {
    const r = rig(whole, { 2: new Problem(0, {}) })
    expect(await replay(r.port)).toBe(false)
    expect(r.sent).toEqual(keys(whole.slice(0, 3)))
    expect(await replay(r.port)).toBe(true)
    expect(r.sent.slice(3)).toEqual(keys(whole.slice(2)))
  })
  it('drops what was built on a refused one, and goes on with others', async () => {
    const other = act('arrived_pickup', 0, 'b2')
    const r = rig([...whole, other], { 1: new Problem(409, { type: '/problems/illegal-transition' }) })
    expect(await replay(r.port)).toBe(true)
    expect(r.refused).toEqual([whole[1]?.key])
    expect(r.sent).toEqual([...keys(whole.slice(0, 2)), other.key])
  })
  it('waits for what passes, and for a new sign-in; not for a refusal', () => {
    for (const status of [0, 401, 429, 500, 503])
      expect([status, canWait(new Problem(status, {}))]).toEqual([status, true])
    for (const status of [403, 404, 409, 422])
      expect([status, canWait(new Problem(status, {}))]).toEqual([status, false])
  })
})
