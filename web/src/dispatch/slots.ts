/** The vehicles as the graphics card is told of them: a row of numbers each, side by side without gaps. Pure. */
export const ROW = 11
const FIRST_ROWS = 256
const ROWS_MAX = 20_000 // the server tells of 5,000 in a view; who came by the socket since is a few more

/** What a row says. Places are in the map's own square (0..1), relative to an origin of the caller's, so that 32 bits are
 * enough for centimetres; times in seconds; turns in radians clockwise from north, `toTurn` the short way from `fromTurn`. */
export type Row = {
  fromX: number
  fromY: number
  toX: number
  toY: number
  fromTurn: number
  toTurn: number
  start: number
  end: number
  seen: number
  picture: number
  shown: boolean
}

export class Slots {
  data = new Float32Array(FIRST_ROWS * ROW)
  count = 0
  private readonly places = new Map<string, number>()
  private readonly ids: string[] = []

  /** False: there is no room for one more. */
  set(id: string, row: Row): boolean {
    let at = this.places.get(id)
    if (at === undefined) {
      if (this.count === ROWS_MAX) return false
      at = this.count++
      this.places.set(id, at)
      this.ids[at] = id
      if (this.data.length < this.count * ROW) this.grow()
    }
    const { fromX, fromY, toX, toY, fromTurn, toTurn, start, end, seen, picture, shown } = row
    this.data.set(
      [fromX, fromY, toX, toY, fromTurn, toTurn, start, end, seen, picture, shown ? 1 : 0],
      at * ROW,
    )
    return true
  }

  /** The last one takes its place. */
  remove(id: string): void {
    const at = this.places.get(id)
    if (at === undefined) return
    const last = --this.count
    const moved = this.ids[last] as string
    this.data.copyWithin(at * ROW, last * ROW, (last + 1) * ROW)
    this.ids[at] = moved
    this.places.set(moved, at)
    this.places.delete(id)
    this.ids.length = last
  }

  has(id: string): boolean {
    return this.places.has(id)
  }
  known(): readonly string[] {
    return this.ids
  }
  row(id: string): ArrayLike<number> | undefined {
    const at = this.places.get(id)
    return at === undefined ? undefined : this.data.subarray(at * ROW, (at + 1) * ROW)
  }

  private grow(): void {
    const more = new Float32Array(Math.min(ROWS_MAX, (this.data.length / ROW) * 2) * ROW)
    more.set(this.data)
    this.data = more
  }
}
