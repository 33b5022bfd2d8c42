/** A position as the browser gives it → a fix as the API takes it; and what a driver is told about its quality. */
import type { Schemas } from '@/api/client.ts'

export type Fix = Schemas['FixInput']
const WEAK_M = 100 // an accuracy worse than this helps nobody to find a door
const OLD_MS = 30_000
const round = (value: number, digits: number) => Number(value.toFixed(digits))

/** SKEW_MS: the server's clock minus this device's. */
export function fixOf(position: GeolocationPosition, skewMs: number): Fix {
  const { latitude, longitude, accuracy, speed, heading } = position.coords
  return {
    at: new Date(position.timestamp + skewMs).toISOString(),
    lat: round(latitude, 6),
    lng: round(longitude, 6),
    ...(Number.isFinite(accuracy) && { accuracy_m: round(Math.min(Math.max(accuracy, 0), 100_000), 1) }),
    ...(speed !== null && speed >= 0 && speed <= 200 && { speed_mps: round(speed, 2) }),
    ...(heading !== null && heading >= 0 && heading <= 360 && { bearing_deg: round(heading, 1) }),
  }
}

export type Quality = 'good' | 'weak' | 'old'
/** NOW and AT by the device's clock, in ms. */
export function quality(accuracyM: number, at: number, now: number): Quality {
  if (now - at > OLD_MS) return 'old'
  return accuracyM > WEAK_M ? 'weak' : 'good'
}

/** Opens the way to a place in whatever app finds ways on this device. */
export function wayTo(place: { lat: number; lng: number }, userAgent: string): string {
  const at = `${place.lat},${place.lng}`
  if (/Android/i.test(userAgent)) return `geo:${at}?q=${at}`
  if (/iPhone|iPad/i.test(userAgent)) return `https://maps.apple.com/?daddr=${at}&dirflg=d`
  return `https://www.openstreetmap.org/directions?to=${encodeURIComponent(at)}`
}
