/** Where points go on a small drawing that stands in until the map is there. Pure. */
export type Point = { lng: number; lat: number }
export const WIDTH = 320
export const HEIGHT = 240
const RIM = 40
const DEGREES_MIN = 0.002 // about 200 m: a street is not drawn as if it were a town

/** In px of a drawing of WIDTH × HEIGHT, north up, all in sight, each way at the same scale. */
export function sketched(points: Point[]): { x: number; y: number }[] {
  const first = points[0]
  if (first === undefined) return []
  const across = Math.cos((first.lat * Math.PI) / 180)
  const xs = points.map((p) => p.lng * across)
  const ys = points.map((p) => -p.lat)
  const span = (of: number[]) => Math.max(DEGREES_MIN, Math.max(...of) - Math.min(...of))
  const middle = (of: number[]) => (Math.max(...of) + Math.min(...of)) / 2
  const scale = Math.min((WIDTH - 2 * RIM) / span(xs), (HEIGHT - 2 * RIM) / span(ys))
  return points.map((_, i) => ({
    x: WIDTH / 2 + ((xs[i] as number) - middle(xs)) * scale,
    y: HEIGHT / 2 + ((ys[i] as number) - middle(ys)) * scale,
  }))
}
