/** What a driver's pages know: himself, the job he has, the offer he is asked, what waits to be sent. What was seen last
 * is kept, so that a cold start without a network shows it, and how old it is. */
import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react'
import { api, data, type Schemas } from '@/api/client.ts'
import { live } from '@/api/live.ts'
import { currentUser, serverNow } from '@/api/session.ts'
import { takeBooking, useLiveStatus, useNow } from '@/app/hooks.ts'
import { suggestTheme } from '@/app/theme.ts'
import { keepContacts } from '@/booking/people.ts'
import { nextStep } from './acts.ts'
import { keepAwake } from './attention.ts'
import { type Gps, gps } from './gps.ts'
import { asDone, type Jobs, jobsOf, losing, taking } from './jobs.ts'
import { outbox, type Waiting } from './outbox.ts'
import { type Remembered, recall, remember } from './store.ts'
import { isNight } from './sun.ts'

export const driverKey = ['driver']
const jobsKey = ['bookings', 'jobs']
const offersKey = ['offers']
const OLD_MS = 10_000

/** An answer, the last one that was kept until it comes, and the time it is from (ms of this device's clock). */
export type Seen<T> = { value: T | undefined; at: number; error: unknown; retry: () => void }
function useSeen<T>(key: string[], ask: () => Promise<T>): Seen<T> {
  const kept = useQuery({
    queryKey: ['kept', ...key, currentUser()?.id],
    queryFn: () => recall<T>(`${currentUser()?.id}/${key.join('/')}`),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const fresh = useQuery({ queryKey: key, queryFn: ask, refetchInterval: 60_000 })
  const at = fresh.dataUpdatedAt
  useEffect(() => {
    if (fresh.data !== undefined) void remember(`${currentUser()?.id}/${key.join('/')}`, fresh.data)
  }, [fresh.data, key])
  const retry = () => void fresh.refetch()
  if (fresh.data !== undefined) return { value: fresh.data, at, error: null, retry }
  const last: Remembered<T> | null | undefined = kept.data
  if (last) return { value: last.value, at: last.at, error: null, retry }
  return { value: undefined, at: 0, error: kept.isFetched ? fresh.error : null, retry }
}

export function useDriver(): Seen<Schemas['Driver']> {
  return useSeen(driverKey, () => data(api.GET('/v1/driver')))
}
/** The booking that is his to do, and the one after it, as the server has them. */
function useServerJobs(): Seen<Jobs> {
  return useSeen(jobsKey, async () => {
    const page = await data(api.GET('/v1/bookings', { params: { query: { state: 'active', limit: 2 } } }))
    return jobsOf(page.items)
  })
}
/** The same with what he has done since; and how many steps of the first wait to be sent. */
export function useJobs(): Seen<Jobs> & { unsent: number } {
  const jobs = useServerJobs()
  const { acts } = useWaiting()
  if (!jobs.value) return { ...jobs, unsent: 0 }
  const value = asDone(jobs.value, acts)
  return { ...jobs, value, unsent: acts.filter((a) => a.booking_id === value.now?.id).length }
}

export function useWaiting(): Waiting {
  return useSyncExternalStore(outbox.subscribe, outbox.read)
}
export function useGps(): Gps {
  return useSyncExternalStore(gps.subscribe, gps.read)
}

/** Something that ended without the driver: said until he has read it. */
export type Notice =
  | { kind: 'lapsed' | 'accepted_elsewhere' | 'withdrawn' }
  | { kind: Ended | `${Ended}On` | 'nextCancelled' | 'nextTaken'; code: string }
type Ended = 'cancelled' | 'done' | 'taken'
/** He is free after it, or goes on with what comes next; or that was it. */
function endOf(how: Ended, code: string, jobs: Jobs | undefined, id: string): Notice {
  const isNext = jobs?.next?.id === id
  if (isNext && how !== 'done') return { kind: how === 'taken' ? 'nextTaken' : 'nextCancelled', code }
  return { kind: jobs && losing(jobs, id).now !== null ? `${how}On` : how, code }
}

export function useOffer(on: boolean): Schemas['Offer'] | null {
  const offers = useQuery({
    queryKey: offersKey,
    queryFn: async () => (await data(api.GET('/v1/driver/offers'))).items.filter(isOpen),
    enabled: on,
    refetchInterval: 15_000, // the socket tells sooner
  })
  return (on ? offers.data?.[0] : undefined) ?? null
}
function isOpen(offer: Schemas['Offer']): boolean {
  return Date.parse(offer.expires_at) > serverNow()
}

/** Puts what the server has said of a booking where the pages look. */
export function takeJob(client: QueryClient, booking: Schemas['Booking']): void {
  // Taken on another device of his, or given to him by hand: there is nothing left to answer.
  if (nextStep(booking.state) !== null) dropOffers(client, (o) => o.booking_id === booking.id)
  client.setQueryData<Jobs>(jobsKey, (jobs) =>
    jobs || nextStep(booking.state) !== null ? taking(jobs ?? { now: null, next: null }, booking) : jobs,
  )
  takeBooking(client, booking)
  void client.invalidateQueries({ queryKey: driverKey })
}

/** Keeps the pages true by the socket; NOTE is told what has ended. */
export function useDriveLive(note: (notice: Notice) => void): void {
  const client = useQueryClient()
  useEffect(
    () =>
      live.listen({
        entry: (entry) => {
          if (entry.type === 'booking.updated') {
            const { id, code, state } = entry.data
            const jobs = client.getQueryData<Jobs>(jobsKey)
            if (state === 'cancelled') note(endOf('cancelled', code, jobs, id))
            if (state === 'delivered') note(endOf('done', code, jobs, id))
            const job = jobs?.now?.id === id ? jobs.now : jobs?.next
            takeJob(client, keepContacts(job, entry.data)) // which has the job asked for, too
            return
          }
          if (entry.type === 'booking.unassigned') loseJob(client, entry.data, note)
          else if (entry.type === 'offer.made') client.setQueryData(offersKey, [entry.data])
          else if (entry.type === 'offer.closed') closeOffer(client, entry.data, note)
          void client.invalidateQueries({ queryKey: driverKey })
        },
        status: (status) => {
          if (status !== 'live') return
          for (const queryKey of [driverKey, jobsKey, offersKey]) void client.invalidateQueries({ queryKey })
        },
      }),
    [client, note],
  )
}

/** The job is somebody else's, or nobody's: he is told why, unless he gave it back himself. */
function loseJob(
  client: QueryClient,
  lost: Schemas['BookingUnassigned'],
  note: (notice: Notice) => void,
): void {
  const jobs = client.getQueryData<Jobs>(jobsKey)
  const job = [jobs?.now, jobs?.next].find((b) => b?.id === lost.booking_id)
  if (!jobs || !job) return
  client.setQueryData<Jobs>(jobsKey, losing(jobs, job.id))
  if (lost.how !== 'released') note(endOf('taken', job.code, jobs, job.id))
}

/** An answer that is still on its way was given before, and would bring them back. */
function dropOffers(client: QueryClient, which: (offer: Schemas['Offer']) => boolean): void {
  void client.cancelQueries({ queryKey: offersKey })
  client.setQueryData<Schemas['Offer'][]>(offersKey, (open) => open?.filter((o) => !which(o)))
}

export function closeOffer(
  client: QueryClient,
  closed: { id: string; reason: string },
  note: (notice: Notice) => void,
): void {
  const open = client.getQueryData<Schemas['Offer'][]>(offersKey)
  if (!open?.some((o) => o.id === closed.id)) return // said already
  dropOffers(client, (o) => o.id === closed.id)
  if (closed.reason === 'expired') note({ kind: 'lapsed' })
  else if (closed.reason === 'accepted_elsewhere' || closed.reason === 'withdrawn')
    note({ kind: closed.reason })
}

export function useOutbox(): void {
  const client = useQueryClient()
  const account = currentUser()?.id
  useEffect(() => {
    if (account === undefined) return
    return outbox.start(account, (booking) => takeJob(client, booking))
  }, [account, client])
}

/** The position is watched while he is on duty, and not a moment longer. */
export function useGpsWhile(onDuty: boolean): void {
  useEffect(() => {
    if (onDuty) return gps.start((fix) => void outbox.fix(fix))
  }, [onDuty])
}
export function useAwakeWhile(active: boolean): void {
  useEffect(() => {
    if (active) return keepAwake()
  }, [active])
}

/** Dark while the sun is down where he is. Nobody knows where: as the device has it. */
export function useSunTheme(driver: Schemas['Driver'] | undefined): void {
  const here = useGps()
  const now = useNow(60_000)
  const place = here.state === 'on' ? here.fix : (driver?.position ?? null)
  const night = place === null ? null : isNight(place.lat, place.lng, now)
  useEffect(() => suggestTheme(night === null ? null : night ? 'dark' : 'light'), [night])
  useEffect(() => () => suggestTheme(null), [])
}

/** Is what is shown from before, with no server to say better? */
export function useIsOld(at: number): boolean {
  const isLive = useLiveStatus() === 'live'
  useNow(2_000)
  return at > 0 && !isLive && Date.now() - Math.max(at, live.lastHeardAt) > OLD_MS
}

export function useNotice(): [Notice | null, (notice: Notice) => void, () => void] {
  const [notice, setNotice] = useState<Notice | null>(null)
  return [notice, useCallback((n: Notice) => setNotice(n), []), useCallback(() => setNotice(null), [])]
}
