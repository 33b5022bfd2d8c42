/** Where the sun stands: what Drive's night theme goes by. Good to about half a degree, two minutes of time. */
const RAD = Math.PI / 180
const J2000_MS = Date.UTC(2000, 0, 1, 12)
const DAY_MS = 86_400_000
/** The sun is down when its upper edge is: its radius, and how much the air lifts it. */
const HORIZON_DEG = -0.833

/** Degrees above the horizon at a place; AT in ms. (The Astronomical Almanac's low-precision formulas.) */
export function sunAltitude(lat: number, lng: number, at: number): number {
  const days = (at - J2000_MS) / DAY_MS
  const meanLongitude = 280.46 + 0.9856474 * days
  const anomaly = (357.528 + 0.9856003 * days) * RAD
  const longitude = (meanLongitude + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly)) * RAD
  const tilt = (23.439 - 0.0000004 * days) * RAD
  const rightAscension = Math.atan2(Math.cos(tilt) * Math.sin(longitude), Math.cos(longitude))
  const declination = Math.asin(Math.sin(tilt) * Math.sin(longitude))
  const siderealDeg = 280.46062 + 360.98564737 * days + lng
  const hourAngle = siderealDeg * RAD - rightAscension
  const sine =
    Math.sin(lat * RAD) * Math.sin(declination) +
    Math.cos(lat * RAD) * Math.cos(declination) * Math.cos(hourAngle)
  return Math.asin(sine) / RAD
}

export function isNight(lat: number, lng: number, at: number): boolean {
  return sunAltitude(lat, lng, at) < HORIZON_DEG
}
