/** Vehicles glide from fix to fix and turn the short way; over a gap they jump, for what lies between is not known. */
export type Placed = { lng: number; lat: number; bearing: number }
/** Times in ms. From its end on it is where it goes. */
export type Leg = { from: Placed; to: Placed; start: number; end: number }

const GAP_MS = 30_000
const GAP_M = 2_000
const GLIDE_MS_MAX = 5_000

function metres(a: Placed, b: Placed): number {
  const x = (b.lng - a.lng) * Math.cos(((a.lat + b.lat) / 2) * (Math.PI / 180))
  return Math.hypot(x, b.lat - a.lat) * 111_195
}

/** The angle from A to B by the shorter way, -180 up to 180. */
export function turn(a: number, b: number): number {
  return ((((b - a) % 360) + 540) % 360) - 180
}

export class Glide {
  private legs = new Map<string, Leg>()
  private seen = new Map<string, number>() // when each was last heard of
  private readonly still: boolean

  /** STILL: the person wants no motion. */
  constructor(still: boolean) {
    this.still = still
  }

  /** A new place of ID at NOW (ms); `bearing` null keeps the last one. */
  move(id: string, lng: number, lat: number, bearing: number | null, now: number): void {
    const from = this.at(id, now)
    const last = this.seen.get(id)
    this.seen.set(id, now)
    const to = { lng, lat, bearing: bearing ?? from?.bearing ?? 0 }
    const since = last === undefined ? Number.POSITIVE_INFINITY : now - last
    const jumps = this.still || from === null || since > GAP_MS || metres(from, to) > GAP_M
    this.legs.set(id, {
      from: jumps || from === null ? to : from,
      to,
      start: now,
      end: jumps ? now : now + Math.min(GLIDE_MS_MAX, Math.max(250, since)),
    })
  }

  remove(id: string): void {
    this.legs.delete(id)
    this.seen.delete(id)
  }

  leg(id: string): Leg | undefined {
    return this.legs.get(id)
  }

  at(id: string, now: number): Placed | null {
    const leg = this.legs.get(id)
    if (leg === undefined) return null
    if (now >= leg.end) return leg.to
    const part = (now - leg.start) / (leg.end - leg.start)
    return {
      lng: leg.from.lng + (leg.to.lng - leg.from.lng) * part,
      lat: leg.from.lat + (leg.to.lat - leg.from.lat) * part,
      bearing: (leg.from.bearing + turn(leg.from.bearing, leg.to.bearing) * part + 360) % 360,
    }
  }

  /** Is anything still on its way at NOW? */
  moving(now: number): boolean {
    for (const leg of this.legs.values()) if (leg.end > now) return true
    return false
  }
  ids(): IterableIterator<string> {
    return this.legs.keys()
  }
}
