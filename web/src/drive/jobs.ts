/** The job that a driver has, and the one that comes after it: what the server says of a booking changes one of the two.
 * No I/O here. */
import type { Schemas } from '@/api/client.ts'
import { type Act, nextStep, withActs } from './acts.ts'

type Booking = Schemas['Booking']
/** NOW is null only if NEXT is. */
export type Jobs = { now: Booking | null; next: Booking | null }

/** Does its driver finish another one first? */
export const comesAfter = (booking: Booking) => booking.driver?.free_at !== undefined
const isOver = (booking: Booking) => nextStep(booking.state) === null

/** From the list of what is his. */
export function jobsOf(items: Booking[]): Jobs {
  const now = items.find((b) => !comesAfter(b)) ?? items[0] ?? null
  return { now, next: items.find((b) => b !== now && comesAfter(b)) ?? null }
}

/** JOBS once the server has said BOOKING of one of his. */
export function taking(jobs: Jobs, booking: Booking): Jobs {
  const { now, next } = jobs
  const known = [now, next].find((b) => b?.id === booking.id)
  if (known && known.version > booking.version) return jobs
  if (now?.id === booking.id) return isOver(booking) ? { now: next, next: null } : { now: booking, next }
  if (next?.id === booking.id) return { now, next: isOver(booking) ? null : booking }
  if (isOver(booking)) return jobs
  return now !== null && comesAfter(booking) ? { now, next: booking } : { now: booking, next }
}

/** JOBS without the booking ID, which is somebody else's by now. */
export function losing({ now, next }: Jobs, id: string): Jobs {
  return now?.id === id ? { now: next, next: null } : { now, next: next?.id === id ? null : next }
}

/** JOBS with what he has done since. Once the first is done, as far as he is concerned, he goes on: the server may hear of
 * it later. */
export function asDone(jobs: Jobs, acts: Act[]): Jobs {
  const now = jobs.now && withActs(jobs.now, acts)
  const next = jobs.next && withActs(jobs.next, acts)
  return now && next && isOver(now) ? { now: next, next: null } : { now, next }
}
