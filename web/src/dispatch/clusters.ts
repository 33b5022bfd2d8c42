/** Vehicles that lie on one another are drawn as one number. Pure. */
export type Place = { id: string; x: number; y: number } // px of the world at this zoom
export type Cluster = { ids: string[]; x: number; y: number; box: [number, number, number, number] }

export const CLUSTERS_BELOW_ZOOM = 11
const REACH_PX = 36
const MEMBERS_MIN = 4 // fewer are easier to read as they are

/** Each in its turn gathers those within reach that nobody has gathered yet. The turns go by id and not by place, so that a
 * cluster stays about where it is while its vehicles move about in it. */
export function clustersOf(places: Iterable<Place>): Cluster[] {
  const sorted = [...places].sort((a, b) => (a.id < b.id ? -1 : 1))
  const net = new Map<string, Set<Place>>()
  const cell = (x: number, y: number) => `${Math.floor(x / REACH_PX)}/${Math.floor(y / REACH_PX)}`
  for (const place of sorted) {
    const key = cell(place.x, place.y)
    const here = net.get(key)
    if (here === undefined) net.set(key, new Set([place]))
    else here.add(place)
  }
  const around = (place: Place) =>
    [-1, 0, 1]
      .flatMap((i) =>
        [-1, 0, 1].map((j) => net.get(cell(place.x + i * REACH_PX, place.y + j * REACH_PX)) ?? []),
      )
      .flatMap((set) => [...set])
      .filter((other) => Math.hypot(other.x - place.x, other.y - place.y) <= REACH_PX)
  const clusters: Cluster[] = []
  const gathered = new Set<Place>()
  for (const place of sorted) {
    if (gathered.has(place)) continue
    const members = around(place)
    if (members.length < MEMBERS_MIN) continue
    for (const member of members) {
      gathered.add(member)
      net.get(cell(member.x, member.y))?.delete(member)
    }
    clusters.push(clusterOf(members))
  }
  return clusters
}

function clusterOf(members: Place[]): Cluster {
  const xs = members.map((m) => m.x)
  const ys = members.map((m) => m.y)
  const mean = (of: number[]) => of.reduce((sum, n) => sum + n, 0) / of.length
  const least = (of: number[]) => of.reduce((a, b) => Math.min(a, b))
  const most = (of: number[]) => of.reduce((a, b) => Math.max(a, b))
  return {
    ids: members.map((m) => m.id).sort(),
    x: mean(xs),
    y: mean(ys),
    box: [least(xs), least(ys), most(xs), most(ys)],
  }
}
