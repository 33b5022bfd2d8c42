/** Giving a job to a driver, and taking it from him: what is sent, and what is said when somebody else was quicker. */
import { useQuery } from '@tanstack/react-query'
import { api, data, type Schemas } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { type Booking, isUnassigned, takeJob } from './jobs.ts'

export type Candidate = Schemas['Candidate']
const REREAD_MS = 5_000

/** Its driver has not picked up yet: it may be another's. */
export const mayChangeHands = (b: Booking) => b.state === 'assigned' || b.state === 'arrived_pickup'
export const mayBeGiven = (b: Booking) => isUnassigned(b) || mayChangeHands(b)
/** May a dispatcher choose C? Whoever declined, or was silent, can be called. */
const taken: Candidate['reason_code'][] = ['busy', 'holds_offer', 'being_asked', 'too_small']
export const isFree = (c: Candidate) => !taken.includes(c.reason_code)

const candidatesOf = (id: string) =>
  data(api.GET('/v1/bookings/{id}/candidates', { params: { path: { id } } })).then((a) => a.items)

export function useCandidates(booking: Booking) {
  return useQuery({
    queryKey: ['candidates', booking.id],
    queryFn: () => candidatesOf(booking.id),
    refetchInterval: REREAD_MS,
  })
}

/** A job that somebody has is given on as it was seen: if it has changed since, nothing happens. */
export async function give(booking: Booking, driverId: string, reason?: string): Promise<Booking> {
  const changed = await data(
    api.POST('/v1/bookings/{id}/assign', {
      params: { path: { id: booking.id } },
      body: {
        driver_id: driverId,
        ...(reason && { reason }),
        ...(booking.driver && { version: booking.version }),
      },
    }),
  )
  takeJob(changed)
  return changed
}

export async function takeBack(booking: Booking, reason: string, search: boolean): Promise<Booking> {
  const changed = await data(
    api.POST('/v1/bookings/{id}/unassign', {
      params: { path: { id: booking.id } },
      body: { reason, search, version: booking.version },
    }),
  )
  takeJob(changed)
  return changed
}

const conflicts = ['version-conflict', 'precondition-failed', 'illegal-transition', 'driver-unavailable']
export const isConflict = (error: unknown): error is Problem =>
  error instanceof Problem && conflicts.includes(error.kind)

/** Reads what a job is now, for everybody who looks at it. */
export async function refresh(id: string): Promise<void> {
  takeJob(await data(api.GET('/v1/bookings/{id}', { params: { path: { id } } })))
}

// ---- several at once ----

export type Outcome = { done: Booking[]; refused: { booking: Booking; error: unknown }[] }

/** One after the other, so that the server is not flooded; STEP hears how far it is. */
async function each(
  list: Booking[],
  act: (b: Booking) => Promise<Booking>,
  step: (n: number) => void,
): Promise<Outcome> {
  const outcome: Outcome = { done: [], refused: [] }
  for (const [n, booking] of list.entries()) {
    step(n)
    try {
      outcome.done.push(await act(booking))
    } catch (error) {
      outcome.refused.push({ booking, error })
    }
  }
  return outcome
}

/** Gives each of LIST to whom dispatch would ask first, nobody two of them. */
export function giveEach(list: Booking[], step: (n: number) => void): Promise<Outcome> {
  const used = new Set<string>()
  return each(
    list,
    async (booking) => {
      const best = (await candidatesOf(booking.id)).find((c) => c.rank !== null && !used.has(c.driver_id))
      if (best === undefined) throw new Problem(409, { type: '/problems/nobody-free' })
      used.add(best.driver_id)
      return give(booking, best.driver_id)
    },
    step,
  )
}

export function cancelEach(list: Booking[], reason: string, step: (n: number) => void): Promise<Outcome> {
  return each(
    list,
    async (booking) => {
      const changed = await data(
        api.POST('/v1/bookings/{id}/cancel', {
          params: { path: { id: booking.id } },
          body: { reason, version: booking.version },
        }),
      )
      takeJob(changed)
      return changed
    },
    step,
  )
}
