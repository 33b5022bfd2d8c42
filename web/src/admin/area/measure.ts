/** How large an area is, and what one has that another lacks. */
import type { Position, Ring, Shape } from './shape.ts'

const RADIUS_KM = 6371.0088
const radians = (degrees: number) => (degrees * Math.PI) / 180

/** On the sphere, its edges straight in longitude and latitude, whichever way it turns. */
export function ringKm2(ring: Ring): number {
  const sum = ring.reduce((all, [lng, lat], i) => {
    const [nextLng, nextLat] = ring[(i + 1) % ring.length] as Position
    return all + radians(nextLng - lng) * (2 + Math.sin(radians(lat)) + Math.sin(radians(nextLat)))
  }, 0)
  return Math.abs((sum * RADIUS_KM * RADIUS_KM) / 2)
}
const km2 = (polygons: Shape) =>
  polygons.reduce(
    (all, [outer = [], ...holes]) =>
      all + ringKm2(outer) - holes.reduce((sum, hole) => sum + ringKm2(hole), 0),
    0,
  )

export type Change = { added: number; lost: number; now: number }
/** Between two areas that have a border; null where the shapes are beyond reckoning. */
export async function changeOf(before: Shape, after: Shape): Promise<Change | null> {
  const { difference, setPrecision, union } = await import('polyclip-ts')
  setPrecision(1e-12)
  try {
    // The library gives rings that are closed; the last corner, said twice, has no area.
    const of = (shapes: Position[][][]) => km2(shapes)
    return {
      added: of(difference(after, before) as Shape),
      lost: of(difference(before, after) as Shape),
      now: of(union(after) as Shape),
    }
  } catch {
    return null
  }
}
