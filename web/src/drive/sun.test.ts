import { expect, it } from 'vitest'
import { isNight, sunAltitude } from './sun.ts'

const gothenburg: [number, number] = [57.7089, 11.9746]
const minute = 60_000

/** Sunrises and sunsets as almanacs have them (UTC). */
it.each([
  ['Gothenburg, midsummer', ...gothenburg, '2026-06-21T02:11Z', '2026-06-21T20:16Z'],
  ['Gothenburg, midwinter', ...gothenburg, '2026-12-21T07:54Z', '2026-12-21T14:25Z'],
  ['Quito, equinox', -0.18, -78.47, '2026-03-20T11:18Z', '2026-03-20T23:25Z'],
])('%s: night until sunrise, day until sunset', (_, lat, lng, rise, set) => {
  const up = Date.parse(rise)
  const down = Date.parse(set)
  expect(isNight(lat, lng, up - 8 * minute)).toBe(true)
  expect(isNight(lat, lng, up + 8 * minute)).toBe(false)
  expect(isNight(lat, lng, down - 8 * minute)).toBe(false)
  expect(isNight(lat, lng, down + 8 * minute)).toBe(true)
})

it('knows the midnight sun, and the polar night', () => {
  expect(isNight(69.65, 18.96, Date.parse('2026-06-21T23:00Z'))).toBe(false)
  expect(isNight(69.65, 18.96, Date.parse('2026-12-21T11:00Z'))).toBe(true)
})

it('stands highest at noon, as high as the latitude lets it', () => {
  expect(sunAltitude(...gothenburg, Date.parse('2026-06-21T11:14Z'))).toBeCloseTo(90 - 57.71 + 23.44, 0)
})
