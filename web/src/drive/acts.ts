/** What a driver does with a booking, step by step; how it looks before the server has heard of it; and how what waits
 * is sent. No I/O here: the store and the network are handed in. */
import type { Schemas } from '@/api/client.ts'
import { isPassing, Problem } from '@/api/problem.ts'

export type State = Schemas['BookingState']
export type Step =
  | 'arrived_pickup'
  | 'picked_up'
  | 'arrived_dropoff'
  | 'delivered'
  | 'arrived_return'
  | 'returned'
  | 'failed'
  | 'proof'
  | 'collect'
/** What shows that goods changed hands. */
export type Given = { pin?: string; name?: string; photo?: Blob; signature?: Blob }
/** One step, with the key under which the server does it once, however often it is sent. */
export type Act = {
  id: number // rises in the order in which they were done
  account: string
  key: string
  booking_id: string
  code: string
  status: Step
  stop: number
  stops_revision?: number // what that is a number of
  reason?: string
  given?: Given // of a proof
  amount?: number // of cash, in minor units
  at: string
}
/** A step that the server would not take, and what the booking is there. */
export type Refusal = {
  account: string
  booking_id: string
  code: string
  status: Step
  state: State | null
  detail: string
}

const next: Partial<Record<State, Step>> = {
  assigned: 'arrived_pickup',
  arrived_pickup: 'picked_up',
  picked_up: 'arrived_dropoff',
  arrived_dropoff: 'delivered',
  returning: 'arrived_return',
  arrived_return: 'returned',
}
/** The one thing to do now; null: it is over. */
export function nextStep(state: State): Step | null {
  return next[state] ?? null
}
export function canFail(state: State): boolean {
  return state === 'arrived_pickup' || state === 'arrived_dropoff'
}
/** He may give it back until the goods are his. */
export function canRelease(state: State): boolean {
  return state === 'assigned' || state === 'arrived_pickup'
}
/** The stop that the driver is at or on his way to. */
export function currentStop(booking: Schemas['Booking']): Schemas['Stop'] | undefined {
  return booking.stops.find((s) => s.state === 'pending' || s.state === 'arrived')
}

/** The next step, where the driver's positions say so, too: offered with one tap, and never taken for him. What waits to be
 * sent may have gone past it. */
export function suggestedStep(booking: Schemas['Booking']): Step | null {
  const { suggestion } = booking
  const stop = currentStop(booking)
  const step = nextStep(booking.state)
  const fits = suggestion !== undefined && suggestion.status === step && suggestion.stop === stop?.index
  return fits && missingAt(stop).length === 0 ? step : null
}

/** What the stop still lacks before it can be done. */
export function missingAt(stop: Schemas['Stop'] | undefined): Schemas['ProofKind'][] {
  return stop?.state === 'arrived' ? (stop.proof?.missing ?? []) : []
}
/** STOP once GIVEN has been taken. */
function proven(stop: Schemas['Stop'], given: Given): Schemas['Stop'] {
  const { proof } = stop
  if (proof === undefined) return stop
  return { ...stop, proof: { ...proof, missing: proof.missing.filter((kind) => given[kind] === undefined) } }
}

/** What the booking becomes by STATUS at STOP. Where goods go back the trip goes on with the other drop-offs; the way
 * back itself is the server's to add. */
function stateAfter(
  booking: Schemas['Booking'],
  status: Exclude<Step, 'proof' | 'collect'>,
  stop: Schemas['Stop'],
  stops: Schemas['Stop'][],
): State {
  const last = stop.index === booking.stops.length - 1
  const leaves = status === 'delivered' || (status === 'failed' && stop.kind === 'dropoff' && booking.returns)
  if (!leaves) return status
  if (!last) return 'picked_up'
  return stops.some((s) => s.state === 'failed') ? 'returning' : status
}

/** STOP once so much cash has been taken there; REASON where it was less. */
function paid(stop: Schemas['Stop'], amount: number, reason: string | undefined): Schemas['Stop'] {
  if (stop.cash === undefined) return stop
  return { ...stop, cash: { ...stop.cash, collected: amount, ...(reason !== undefined && { reason }) } }
}

/** BOOKING as it will be when ACTS have been sent. Those that it has gone past already change nothing. */
export function withActs(booking: Schemas['Booking'], acts: Act[]): Schemas['Booking'] {
  let now = booking
  for (const act of acts) {
    const stop = currentStop(now)
    if (act.status === 'proof') {
      if (act.booking_id === now.id && stop?.index === act.stop)
        now = { ...now, stops: now.stops.map((s) => (s === stop ? proven(s, act.given ?? {}) : s)) }
      continue
    }
    if (act.status === 'collect') {
      const { amount = 0, reason } = act
      if (act.booking_id === now.id && stop?.index === act.stop)
        now = { ...now, stops: now.stops.map((s) => (s === stop ? paid(s, amount, reason) : s)) }
      continue
    }
    const fits = act.status === 'failed' ? canFail(now.state) : nextStep(now.state) === act.status
    if (act.booking_id !== now.id || !fits || stop === undefined || stop.index !== act.stop) continue
    const arrives = act.status.startsWith('arrived_')
    const state = act.status === 'failed' ? 'failed' : arrives ? 'arrived' : 'done'
    const stops = now.stops.map((s) =>
      s.index === stop.index ? { ...s, state, eta: null } : s,
    ) as typeof now.stops
    now = { ...now, state: stateAfter(now, act.status, stop, stops), stops }
  }
  return now
}

/** Does the same act, sent again later, have a chance? No version is sent: a conflict is a race, and passes. */
export function canWait(error: unknown): boolean {
  return (
    isPassing(error) ||
    (error instanceof Problem && (error.status === 401 || error.kind === 'version-conflict'))
  )
}

export type Port = {
  first: () => Promise<Act | undefined>
  send: (act: Act) => Promise<unknown>
  done: (act: Act) => Promise<void>
  /** Drops ACT and what waits for the same booking: it was built on it. */
  refuse: (act: Act, error: unknown) => Promise<void>
}
/** Sends what waits, oldest first, each when the one before has been answered. False: the rest has to wait. */
export async function replay(port: Port): Promise<boolean> {
  for (let act = await port.first(); act !== undefined; act = await port.first()) {
    try {
      await port.send(act)
    } catch (error) {
      if (canWait(error)) return false
      await port.refuse(act, error)
      continue
    }
    await port.done(act)
  }
  return true
}
