/** Gathers what the socket says of places, the newest of each vehicle, until it is time to hand them on. Pure. */
import type { Position } from './live.ts'

const START = '{"type":"position"'

export class Handful {
  private newest = new Map<string, Position>()

  /** False: TEXT is of something else. */
  take(text: string): boolean {
    if (!text.startsWith(START)) return false
    const { data } = JSON.parse(text) as { data: Position }
    const key = data.driver_id ?? data.booking_id ?? ''
    this.newest.delete(key) // the order is that in which they were heard of
    this.newest.set(key, data)
    return true
  }
  isEmpty(): boolean {
    return this.newest.size === 0
  }
  give(): Position[] {
    const all = [...this.newest.values()]
    this.newest.clear()
    return all
  }
}
