/** The clock of a place: what a date and a time there are as a moment, and back. Pure but for the hook; zones come from Intl. */
import { useQuery } from '@tanstack/react-query'
import { api, data } from '@/api/client.ts'

export type Window = { from: string; to: string }
/** As it is typed: a day and two times of it; an end that is not after the beginning is of the next day. */
export type Typed = { day: string; from: string; to: string }

const MINUTE_MS = 60_000
export const WINDOW_MIN_MS = 15 * MINUTE_MS

const formats = new Map<string, Intl.DateTimeFormat>()
function parts(at: number, zone: string): Record<string, string> {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    })
    formats.set(zone, format)
  }
  return Object.fromEntries(format.formatToParts(at).map((p) => [p.type, p.value]))
}

/** ms east of UTC at AT. */
export function offset(at: number, zone: string): number {
  const p = parts(at, zone)
  const wall = Date.UTC(
    Number(p.year),
    Number(p.month) - 1,
    Number(p.day),
    Number(p.hour),
    Number(p.minute),
    Number(p.second),
  )
  return wall - Math.floor(at / 1000) * 1000
}

/** The moment at which the clock of ZONE shows DAY and TIME. Of two, when it is put back, the first; one that there is not, when
 * it is put forward, is as much later. */
export function moment(day: string, time: string, zone: string): number {
  const wall = Date.parse(`${day}T${time}:00Z`)
  if (Number.isNaN(wall)) return Number.NaN
  const before = wall - offset(wall - 86_400_000, zone)
  if (before + offset(before, zone) === wall) return before
  const after = wall - offset(wall + 86_400_000, zone)
  return after + offset(after, zone) === wall ? after : before
}

export function typed(window: Window, zone: string): Typed {
  const from = parts(Date.parse(window.from), zone)
  const to = parts(Date.parse(window.to), zone)
  return {
    day: `${from.year}-${from.month}-${from.day}`,
    from: `${from.hour}:${from.minute}`,
    to: `${to.hour}:${to.minute}`,
  }
}

/** NaN where nothing sensible is typed. */
export function windowOf({ day, from, to }: Typed, zone: string): { from: number; to: number } {
  const begin = moment(day, from, zone)
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000)
  const tomorrow = Number.isNaN(next.getTime()) ? '' : next.toISOString().slice(0, 10)
  return { from: begin, to: moment(to > from ? day : tomorrow, to, zone) }
}
/** What is wrong with WHEN at NOW (ms), as a key of the words; null: nothing. */
export function faultOf(when: Typed, zone: string, now: number): 'when.past' | 'when.short' | null {
  const { from, to } = windowOf(when, zone)
  if (!(from >= now)) return 'when.past'
  return to - from >= WINDOW_MIN_MS ? null : 'when.short'
}

export function sent({ from, to }: { from: number; to: number }): Window {
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() }
}

/** What is offered first: the next full hour but one, two hours long. */
export function suggested(now: number, zone: string): Typed {
  const hour = 60 * MINUTE_MS
  const from = Math.ceil((now + hour) / hour) * hour
  return typed(sent({ from, to: from + 2 * hour }), zone)
}

export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone

/** The service area's; where none is named, the reader's own. */
export function useAreaZone(): string {
  const tariffs = useQuery({
    queryKey: ['tariffs', 'zone'],
    queryFn: () => data(api.GET('/v1/tariffs')),
    staleTime: 3_600_000,
  })
  return tariffs.data?.timezone ?? ownZone()
}
/** Does the reader's clock show something else than that of ZONE at AT? */
export function differs(zone: string, at: number): boolean {
  return !Number.isNaN(at) && offset(at, zone) !== offset(at, ownZone())
}
