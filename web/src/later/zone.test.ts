import { describe, expect, it } from 'vitest'
import { differs, moment, sent, suggested, typed, windowOf } from './zone.ts'

const ZONE = 'Europe/Stockholm'
const iso = (ms: number) => new Date(ms).toISOString()

describe('what the clock of a place shows, as a moment', () => {
  it('in winter, in summer, and far away', () => {
    expect(iso(moment('2026-11-24', '10:00', ZONE))).toBe('2026-11-24T09:00:00.000Z')
    expect(iso(moment('2026-07-01', '10:00', ZONE))).toBe('2026-07-01T08:00:00.000Z')
    expect(iso(moment('2026-07-01', '10:00', 'Asia/Kolkata'))).toBe('2026-07-01T04:30:00.000Z')
    expect(iso(moment('2026-07-01', '10:00', 'UTC'))).toBe('2026-07-01T10:00:00.000Z')
  })
  it('in the night when it is put forward: an hour that there is not is later', () => {
    expect(iso(moment('2027-03-28', '01:59', ZONE))).toBe('2027-03-28T00:59:00.000Z')
    expect(iso(moment('2027-03-28', '02:30', ZONE))).toBe('2027-03-28T01:30:00.000Z') // the clock shows 3:30
    expect(iso(moment('2027-03-28', '03:00', ZONE))).toBe('2027-03-28T01:00:00.000Z')
  })
  it('in the night when it is put back: of two hours the first', () => {
    expect(iso(moment('2026-10-25', '02:30', ZONE))).toBe('2026-10-25T00:30:00.000Z')
    expect(iso(moment('2026-10-25', '03:00', ZONE))).toBe('2026-10-25T02:00:00.000Z')
  })
  it('is nothing where nothing is typed', () => {
    expect(moment('', '10:00', ZONE)).toBeNaN()
    expect(windowOf({ day: '', from: '10:00', to: '' }, ZONE).from).toBeNaN()
  })
})

it('a window may end on the next day, and comes back as it was typed', () => {
  const late = { day: '2026-11-24', from: '23:00', to: '01:00' }
  const window = sent(windowOf(late, ZONE))
  expect(window).toEqual({ from: '2026-11-24T22:00:00.000Z', to: '2026-11-25T00:00:00.000Z' })
  expect(typed(window, ZONE)).toEqual(late)
})

it('offers full hours, at least one ahead', () => {
  expect(suggested(Date.parse('2026-11-23T10:20:00Z'), ZONE)).toEqual({
    day: '2026-11-23',
    from: '13:00',
    to: '15:00',
  })
})

it('knows when two clocks show the same though they have other names', () => {
  const at = Date.parse('2026-11-23T10:00:00Z')
  expect(differs(Intl.DateTimeFormat().resolvedOptions().timeZone, at)).toBe(false)
  expect(differs('Pacific/Auckland', at)).toBe(true)
})
