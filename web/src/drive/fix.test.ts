import { expect, it } from 'vitest'
import { fixOf, quality, wayTo } from './fix.ts'

const at = Date.parse('2026-11-29T12:00:00Z')
const position = (coords: Partial<GeolocationCoordinates>) =>
  ({
    timestamp: at,
    coords: { latitude: 57.70891234, longitude: 11.9746, accuracy: 8, speed: null, heading: null, ...coords },
  }) as GeolocationPosition

it('leaves out what the device does not know', () => {
  const fix = fixOf(position({ heading: Number.NaN, speed: -1 }), 0)
  expect(fix).toEqual({ at: '2026-11-29T12:00:00.000Z', lat: 57.708912, lng: 11.9746, accuracy_m: 8 })
})
it('keeps speed and heading, and goes by the clock of the server', () => {
  const fix = fixOf(position({ heading: 45, speed: 9.123 }), 3_600_000)
  expect(fix).toMatchObject({ at: '2026-11-29T13:00:00.000Z', speed_mps: 9.12, bearing_deg: 45 })
})
it('tells good from weak from old', () => {
  expect([quality(8, at, at), quality(500, at, at), quality(8, at, at + 31_000)]).toEqual([
    'good',
    'weak',
    'old',
  ])
})
it('opens the map app that the device has', () => {
  const place = { lat: 57.7, lng: -11.9 }
  expect(wayTo(place, 'Mozilla/5.0 (Linux; Android 14)')).toBe('geo:57.7,-11.9?q=57.7,-11.9')
  expect(wayTo(place, 'Mozilla/5.0 (iPhone)')).toContain('maps.apple.com/?daddr=57.7,-11.9')
  expect(wayTo(place, 'Mozilla/5.0 (X11; Linux)')).toContain('directions?to=57.7%2C-11.9')
})
