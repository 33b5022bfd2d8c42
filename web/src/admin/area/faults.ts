/** What is wrong with a shape, and where, by the rules that the server has: rings enclose something and meet neither
 * themselves nor another ring of their polygon, holes lie inside, and there are not too many of anything. */
import { count, inside, limits, type Position, type Ring, type Shape } from './shape.ts'

export type Fault = {
  /** area.fault.… */
  key: 'few' | 'nothing' | 'itself' | 'another' | 'outside' | 'corners' | 'rings' | 'polygons' | 'server'
  /** Of no ring in particular: null. */
  polygon: number | null
  ring: number | null
  /** Where it is seen. */
  at: Position | null
  /** In the server's words. */
  said?: string
}

type Edge = { ring: number; index: number; a: Position; b: Position; west: number; east: number }
const turn = ([ax, ay]: Position, [bx, by]: Position, [cx, cy]: Position) =>
  Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
const between = (a: Position, b: Position, p: Position) =>
  Math.min(a[0], b[0]) <= p[0] &&
  p[0] <= Math.max(a[0], b[0]) &&
  Math.min(a[1], b[1]) <= p[1] &&
  p[1] <= Math.max(a[1], b[1])

function crossing(e: Edge, f: Edge): Position {
  const [dx, dy, ex, ey] = [e.b[0] - e.a[0], e.b[1] - e.a[1], f.b[0] - f.a[0], f.b[1] - f.a[1]]
  const t = ((f.a[0] - e.a[0]) * ey - (f.a[1] - e.a[1]) * ex) / (dx * ey - dy * ex)
  return [e.a[0] + t * dx, e.a[1] + t * dy]
}

/** Where two edges meet that may not: those of one ring anywhere, those of two where they cross. */
function meeting(e: Edge, f: Edge, size: number): Position | null {
  const same = e.ring === f.ring
  const [o1, o2, o3, o4] = [
    turn(e.a, e.b, f.a),
    turn(e.a, e.b, f.b),
    turn(f.a, f.b, e.a),
    turn(f.a, f.b, e.b),
  ]
  if (o1 * o2 < 0 && o3 * o4 < 0) return crossing(e, f)
  if (!same) return null
  const apart = Math.abs(e.index - f.index)
  if (apart === 1 || apart === size - 1) {
    // Neighbours share a corner; they meet elsewhere only where one goes back over the other.
    const [first, second] = (e.index + 1) % size === f.index ? [e, f] : [f, e]
    const back =
      (first.a[0] - first.b[0]) * (second.b[0] - second.a[0]) +
      (first.a[1] - first.b[1]) * (second.b[1] - second.a[1])
    return turn(first.a, first.b, second.b) === 0 && back > 0 ? first.b : null
  }
  for (const [o, p, g] of [
    [o1, f.a, e],
    [o2, f.b, e],
    [o3, e.a, f],
    [o4, e.b, f],
  ] as const)
    if (o === 0 && between(g.a, g.b, p)) return p
  return null
}

function edgesOf(rings: Ring[]): Edge[] {
  return rings
    .flatMap((ring, r) =>
      ring.map((a, index) => {
        const b = ring[(index + 1) % ring.length] as Position
        return { ring: r, index, a, b, west: Math.min(a[0], b[0]), east: Math.max(a[0], b[0]) }
      }),
    )
    .sort((e, f) => e.west - f.west)
}

/** The first meeting of each ring: one is enough to be shown where to look. */
function meetings(polygon: number, rings: Ring[]): Fault[] {
  const edges = edgesOf(rings)
  const found = new Map<number, Fault>()
  for (const [i, e] of edges.entries()) {
    for (let j = i + 1; j < edges.length && (edges[j] as Edge).west <= e.east; j++) {
      const f = edges[j] as Edge
      const ring = Math.max(e.ring, f.ring)
      if (found.has(ring)) continue
      const at = meeting(e, f, (rings[e.ring] as Ring).length)
      if (at !== null) found.set(ring, { key: e.ring === f.ring ? 'itself' : 'another', polygon, ring, at })
    }
  }
  return [...found.values()]
}

const twiceArea = (ring: Ring) =>
  ring.reduce((sum, [ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length] as Position
    return sum + (ax - (ring[0] as Position)[0]) * (by - ay) - (ay - (ring[0] as Position)[1]) * (bx - ax)
  }, 0)

export function faultsOf(shape: Shape): Fault[] {
  const { corners, rings } = count(shape)
  const whole = (key: Fault['key']): Fault => ({ key, polygon: null, ring: null, at: null })
  const faults: Fault[] = []
  if (corners > limits.corners) faults.push(whole('corners'))
  if (rings > limits.rings) faults.push(whole('rings'))
  if (shape.length > limits.polygons) faults.push(whole('polygons'))
  if (faults.length > 0) return faults // looking at each pair of edges would take too long
  for (const [polygon, parts] of shape.entries()) {
    const own: Fault[] = []
    for (const [ring, r] of parts.entries()) {
      const at = r[0] ?? null
      if (r.length < 3) own.push({ key: 'few', polygon, ring, at })
      else if (twiceArea(r) === 0) own.push({ key: 'nothing', polygon, ring, at })
      else if (ring > 0 && at !== null && !inside(parts[0] as Ring, at))
        own.push({ key: 'outside', polygon, ring, at })
    }
    // Of a ring that meets itself that is said, whatever else follows from it.
    const met = meetings(polygon, parts)
    const itself = new Set(met.flatMap((f) => (f.key === 'itself' ? [f.ring] : [])))
    const rest = own.filter((f) => f.key === 'few' || !itself.has(f.ring))
    const told = new Set(rest.map((f) => f.ring))
    faults.push(...rest, ...met.filter((f) => !told.has(f.ring)))
  }
  return faults
}

/** What the server refused, at the ring that it names: "/area/coordinates/1/0". */
export function refusedFaults(fields: { pointer: string; detail: string }[]): Fault[] {
  return fields.map(({ pointer, detail }) => {
    const [, polygon, ring] = /^\/area\/coordinates\/(\d+)(?:\/(\d+))?/.exec(pointer) ?? []
    return {
      key: 'server',
      polygon: polygon === undefined ? null : Number(polygon),
      ring: polygon === undefined ? null : Number(ring ?? 0),
      at: null,
      said: detail,
    }
  })
}
