/** Every vehicle on duty in the part of the map that is looked at. Kept outside React: thousands move, and only the map
 * draws them. */
import { useEffect, useState } from 'react'
import { api, data, type Schemas } from '@/api/client.ts'
import { live, type Position } from '@/api/live.ts'
import { Glide } from '@/map/glide.ts'

export type Vehicle = {
  id: string
  name: string | null
  vehicle: Schemas['Vehicle']
  duty: Schemas['Duty']
  bookingId: string | null
  at: number // ms
  lat: number
  lng: number
}
export type Box = [number, number, number, number]

const REREAD_MS = 30_000 // what went off while no signal came is found out at the latest then

export class Fleet {
  readonly vehicles = new Map<string, Vehicle>()
  readonly glide = new Glide(window.matchMedia('(prefers-reduced-motion: reduce)').matches)
  counts = { on: 0, busy: 0 }
  truncated = false
  /** Whose place, duty or presence has changed since the map last asked. */
  private changed = new Set<string>()
  private box: Box | null = null
  private unwatch: (() => void) | undefined
  private stop: () => void
  private timer: ReturnType<typeof setInterval>
  private readonly told: () => void

  constructor(told: () => void) {
    this.told = told
    this.stop = live.listen({
      position: (p) => p.driver_id !== undefined && this.move(p.driver_id, p),
      gap: () => void this.read(),
      status: (status) => status === 'live' && void this.read(),
    })
    this.timer = setInterval(() => void this.read(), REREAD_MS)
  }

  /** Whose marks have to be made anew; each is told once. */
  takeChanged(): Set<string> {
    const changed = this.changed
    if (changed.size > 0) this.changed = new Set()
    return changed
  }
  /** Everybody is to be drawn again. */
  changeAll(): void {
    for (const id of this.vehicles.keys()) this.changed.add(id)
  }

  look(box: Box): void {
    this.box = box
    this.unwatch?.()
    this.unwatch = live.watch('fleet', { bbox: box })
    void this.read()
  }
  close(): void {
    this.unwatch?.()
    this.stop()
    clearInterval(this.timer)
  }

  private move(id: string, p: Position): void {
    if (p.off) {
      this.vehicles.delete(id)
      this.glide.remove(id)
    } else {
      const before = this.vehicles.get(id)
      this.vehicles.set(id, {
        id,
        name: before?.name ?? null,
        vehicle: p.vehicle ?? before?.vehicle ?? 'van',
        duty: p.duty ?? before?.duty ?? 'on',
        bookingId: p.booking_id ?? null,
        at: Date.parse(p.at),
        lat: p.lat,
        lng: p.lng,
      })
      this.glide.move(id, p.lng, p.lat, p.bearing_deg, performance.now())
    }
    this.changed.add(id)
  }

  private async read(): Promise<void> {
    const box = this.box
    if (box === null) return
    try {
      const fleet = await data(
        api.GET('/v1/fleet', { params: { query: { bbox: box.map((n) => n.toFixed(6)).join() } } }),
      )
      if (box !== this.box) return // it has moved on meanwhile
      const here = new Set(fleet.items.map((item) => item.driver_id))
      for (const id of this.vehicles.keys())
        if (!here.has(id)) {
          this.vehicles.delete(id)
          this.glide.remove(id)
          this.changed.add(id)
        }
      for (const item of fleet.items) {
        const before = this.vehicles.get(item.driver_id)
        const at = Date.parse(item.at)
        this.vehicles.set(item.driver_id, {
          id: item.driver_id,
          name: item.name,
          vehicle: item.vehicle,
          duty: item.duty,
          bookingId: item.booking_id,
          at,
          lat: item.lat,
          lng: item.lng,
        })
        if (before === undefined || before.at < at)
          this.glide.move(item.driver_id, item.lng, item.lat, item.bearing_deg, performance.now())
        this.changed.add(item.driver_id)
      }
      this.counts = fleet.counts
      this.truncated = fleet.truncated
      this.told()
    } catch {
      // The badge says that the server is away; the next read comes by itself.
    }
  }
}

/** One fleet for as long as the component lives; it is rendered anew when the counts change. */
export function useFleet(): Fleet | null {
  const [fleet, setFleet] = useState<Fleet | null>(null)
  const [, setRead] = useState(0)
  useEffect(() => {
    const made = new Fleet(() => setRead((n) => n + 1))
    setFleet(made)
    return () => made.close()
  }, [])
  return fleet
}
