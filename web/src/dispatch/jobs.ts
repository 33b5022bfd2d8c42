/** The bookings that are under way, as a dispatcher sees them: read once, then followed entry by entry. One list for
 * the whole console, changed at most a few times a second however much happens. */
import { useSyncExternalStore } from 'react'
import { api, data, type Schemas } from '@/api/client.ts'
import { live } from '@/api/live.ts'

export type Booking = Schemas['Booking']
export type Jobs = { bookings: Map<string, Booking>; loaded: boolean; error: unknown }

const PAGE = 200
const PAGES_MAX = 25 // 5,000 open bookings; more are beyond what anybody looks through
const ANNOUNCE_MS = 200
const KEEP_ENDED_MS = 15_000 // a job that has ended stays that long, so that one sees it end

const ended: Booking['state'][] = ['delivered', 'cancelled', 'expired', 'failed', 'returned']
export const isEnded = (b: Booking) => ended.includes(b.state)
const underWay: Booking['state'][] = [
  'assigned',
  'arrived_pickup',
  'picked_up',
  'arrived_dropoff',
  'returning',
  'arrived_return',
]
export const isUnderWay = (b: Booking) => underWay.includes(b.state)
export const isUnassigned = (b: Booking) => b.state === 'requested' || b.state === 'offered'

let jobs: Jobs = { bookings: new Map(), loaded: false, error: null }
let changed = false
let users = 0
let stop: (() => void) | undefined
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()
const bookings = new Map<string, Booking>()

function take(booking: Booking): void {
  const before = bookings.get(booking.id)
  if (before !== undefined && before.version >= booking.version) return
  if (before === undefined && isEnded(booking)) return
  bookings.set(booking.id, booking)
  changed = true
}

function announce(part: Partial<Jobs> = {}): void {
  const old = Date.now() - KEEP_ENDED_MS
  for (const b of bookings.values()) {
    if (!isEnded(b) || Date.parse(b.updated_at) > old) continue
    bookings.delete(b.id)
    changed = true
  }
  if (!changed && Object.keys(part).length === 0) return
  changed = false
  jobs = { ...jobs, ...part, bookings: new Map(bookings) }
  for (const listener of listeners) listener()
}

async function load(): Promise<void> {
  try {
    const [known, seen] = [new Set(bookings.keys()), new Set<string>()]
    let cursor: string | null = null
    for (let page = 0; page < PAGES_MAX; page++) {
      const answer: { items: Booking[]; next_cursor: string | null } = await data(
        api.GET('/v1/bookings', {
          params: { query: { state: 'active', limit: PAGE, ...(cursor !== null && { cursor }) } },
        }),
      )
      for (const b of answer.items) {
        seen.add(b.id)
        take(b)
      }
      cursor = answer.next_cursor
      if (cursor === null) break
    }
    // What has ended while nobody listened is not in the list any more; what has come while it was read is not in it yet.
    if (cursor === null) for (const id of known) if (!seen.has(id)) bookings.delete(id)
    changed = true
    announce({ loaded: true, error: null })
  } catch (error) {
    announce({ error })
  }
}

/** Read at once, and when the socket is ready: what happened between is told by neither. */
function start(): void {
  if (live.currentStatus() !== 'live') void load()
  stop = live.listen({
    entry: (entry) => entry.type === 'booking.updated' && take(entry.data),
    gap: () => void load(),
    status: (status) => status === 'live' && void load(),
  })
  timer = setInterval(() => announce(), ANNOUNCE_MS)
}

export function reloadJobs(): void {
  void load()
}
export function takeJob(booking: Booking): void {
  take(booking)
  announce()
}

/** One function for all renders: a new one each time would end and begin the reading each time. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  if (users++ === 0) start()
  return () => {
    listeners.delete(listener)
    if (--users > 0) return
    stop?.()
    clearInterval(timer)
  }
}
export function useJobs(): Jobs {
  return useSyncExternalStore(subscribe, () => jobs)
}
