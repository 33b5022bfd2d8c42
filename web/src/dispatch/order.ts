/** Which jobs need somebody, and in what order they stand. Pure. */
import type { Booking } from './jobs.ts'

export const UNASSIGNED_LATE_MS = 60_000
export type Need = 'unassigned-late' | 'late' | 'unassigned' | 'none'

const isOpen = (b: Booking) => b.state === 'requested' || b.state === 'offered'

/** Since when somebody should have it (ms): of what is for later, since its time has begun. */
export const waitsSince = (b: Booking) => Date.parse(b.pickup_window?.from ?? b.created_at)

/** What B wants of a dispatcher at NOW (ms). Late: its next stop's ETA is past. */
export function needOf(b: Booking, now: number): Need {
  if (isOpen(b)) return now - waitsSince(b) > UNASSIGNED_LATE_MS ? 'unassigned-late' : 'unassigned'
  const eta = b.stops.find((s) => s.eta !== null)?.eta
  return eta && Date.parse(eta) < now ? 'late' : 'none'
}

const rank: Record<Need, number> = { 'unassigned-late': 0, late: 1, unassigned: 2, none: 3 }

/** Those that need somebody first; among equals the oldest. */
export function ordered(bookings: Iterable<Booking>, now: number): Booking[] {
  return [...bookings]
    .map((b) => ({ b, r: rank[needOf(b, now)], at: Date.parse(b.created_at) }))
    .sort((x, y) => x.r - y.r || x.at - y.at || (x.b.id < y.b.id ? -1 : 1))
    .map(({ b }) => b)
}

/** Does B match what was typed: code, address, driver, plate? */
export function matches(b: Booking, text: string): boolean {
  const wanted = text.trim().toLocaleLowerCase()
  if (wanted === '') return true
  return [
    b.code,
    b.driver?.name,
    b.vehicle_plate,
    ...b.stops.flatMap((s) => [s.address, s.contact?.name]),
  ].some((each) => each?.toLocaleLowerCase().includes(wanted))
}

type Named = { id: string; name: string | null }
const nameOf = (v: Named) => v.name ?? v.id

/** Thousands by name, as the language has it, which is slow to compare by. So what is in order already, BEFORE, is begun with,
 * and who is new is first put in order by the letters' codes: that is quick, and nearly right. */
export function byName<T extends Named>(
  all: ReadonlyMap<string, T>,
  before: readonly T[],
  compare: Intl.Collator['compare'],
): T[] {
  const kept = before.flatMap(({ id }) => all.get(id) ?? [])
  const known = new Set(kept.map((v) => v.id))
  const fresh = [...all.values()]
    .filter((v) => !known.has(v.id))
    .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  return [...kept, ...fresh].sort((a, b) => compare(nameOf(a), nameOf(b)))
}
