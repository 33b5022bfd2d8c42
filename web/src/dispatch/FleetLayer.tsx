/** Brings the fleet onto the map: vehicles as one layer (FleetMarks), and numbers where many lie on one another. */
import type { Map as MapLibre, MapMouseEvent } from 'maplibre-gl'
import { useEffect, useRef } from 'react'
import { serverNow } from '@/api/session.ts'
import { useTheme } from '@/app/theme.ts'
import { themes } from '@/design/tokens.ts'
import { number } from '@/i18n/format.ts'
import { turn } from '@/map/glide.ts'
import { fitTo, useDrawn } from '@/map/layers.tsx'
import { useMap } from '@/map/Map.tsx'
import { CLUSTERS_BELOW_ZOOM, type Cluster, clustersOf } from './clusters.ts'
import { FleetMarks, pictures, reachPx } from './FleetMarks.ts'
import type { Fleet, Vehicle } from './fleet.ts'
import { type Row, Slots } from './slots.ts'

const SYNC_MS = 100
const CLUSTER_MS = 1_000
const FADE_MS = 5_000 // at the latest then whoever has fallen silent is drawn faint
const RADIANS = Math.PI / 180

/** The map's own square: 0..1 from west to east, and from north to south (spherical Mercator, as every web map has it). */
function square(lng: number, lat: number): { x: number; y: number } {
  return {
    x: lng / 360 + 0.5,
    y: 0.5 - Math.log(Math.tan(Math.PI / 4 + (lat * RADIANS) / 2)) / (2 * Math.PI),
  }
}
function degrees({ x, y }: { x: number; y: number }): [number, number] {
  return [(x - 0.5) * 360, (2 * Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) - Math.PI / 2) / RADIANS]
}

/** One map's vehicles, outside React. */
class Drawing {
  readonly marks: FleetMarks
  private readonly slots = new Slots()
  private readonly epoch = performance.now()
  private readonly origin: { x: number; y: number }
  private readonly hidden = new Set<string>() // in a cluster
  private readonly map: MapLibre
  private readonly fleet: Fleet
  private chosen: string | null = null

  constructor(map: MapLibre, fleet: Fleet, theme: keyof typeof themes) {
    this.map = map
    this.fleet = fleet
    const { lng, lat } = map.getCenter()
    this.origin = square(lng, lat)
    this.marks = new FleetMarks(themes[theme], this.slots, this.epoch, this.origin)
    fleet.changeAll()
  }

  private row(vehicle: Vehicle): Row {
    const leg = this.fleet.glide.leg(vehicle.id)
    const still = { lng: vehicle.lng, lat: vehicle.lat, bearing: 0 }
    const { from, to, start, end } = leg ?? { from: still, to: still, start: 0, end: 0 }
    const [a, b] = [square(from.lng, from.lat), square(to.lng, to.lat)]
    const since = (ms: number) => (ms - this.epoch) / 1000
    this.marks.until = Math.max(this.marks.until, since(end))
    return {
      fromX: a.x - this.origin.x,
      fromY: a.y - this.origin.y,
      toX: b.x - this.origin.x,
      toY: b.y - this.origin.y,
      fromTurn: from.bearing * RADIANS,
      toTurn: (from.bearing + turn(from.bearing, to.bearing)) * RADIANS,
      start: since(start),
      end: since(end),
      seen: since(performance.now() - (serverNow() - vehicle.at)),
      picture:
        vehicle.id === this.chosen ? pictures.chosen : vehicle.duty === 'busy' ? pictures.busy : pictures.on,
      shown: !this.hidden.has(vehicle.id),
    }
  }
  private draw(ids: Iterable<string>): void {
    for (const id of ids) {
      const vehicle = this.fleet.vehicles.get(id)
      if (vehicle === undefined) this.slots.remove(id)
      else this.slots.set(id, this.row(vehicle))
      this.marks.changed = true
    }
    if (this.marks.changed && !document.hidden) this.map.triggerRepaint()
  }

  /** What has changed since; called some times a second. */
  sync(chosen: string | null): void {
    const changed = this.fleet.takeChanged()
    if (chosen !== this.chosen) {
      for (const id of [chosen, this.chosen]) if (id !== null && this.slots.has(id)) changed.add(id)
      this.chosen = chosen
    }
    if (changed.size > 0) this.draw(changed)
  }

  /** Those that are too near one another to be told apart are hidden, and returned as clusters. */
  cluster(): Cluster[] {
    const zoom = this.map.getZoom()
    const width = 512 * 2 ** Math.round(zoom)
    const places = function* (vehicles: Iterable<Vehicle>, chosen: string | null) {
      for (const v of vehicles) {
        if (v.id === chosen) continue
        const { x, y } = square(v.lng, v.lat)
        yield { id: v.id, x: x * width, y: y * width }
      }
    }
    const found =
      zoom < CLUSTERS_BELOW_ZOOM ? clustersOf(places(this.fleet.vehicles.values(), this.chosen)) : []
    const before = new Set(this.hidden)
    this.hidden.clear()
    for (const id of found.flatMap((c) => c.ids)) this.hidden.add(id)
    this.draw([
      ...[...this.hidden].filter((id) => !before.has(id)),
      ...[...before].filter((id) => !this.hidden.has(id)),
    ])
    const unit = (px: number) => px / width
    return found.map((c) => ({
      ids: c.ids,
      x: unit(c.x),
      y: unit(c.y),
      box: c.box.map(unit) as Cluster['box'],
    }))
  }

  /** The vehicle under the pointer, the nearest of several. */
  at(event: MapMouseEvent): string | null {
    const { lng, lat } = event.lngLat
    const reach = ((reachPx(this.map.getZoom()) + 4) * 360) / (512 * 2 ** this.map.getZoom())
    const across = Math.cos(lat * RADIANS)
    const now = performance.now()
    let [nearest, distance] = [null as string | null, reach]
    for (const v of this.fleet.vehicles.values()) {
      if (Math.abs(v.lng - lng) > 0.1 || this.hidden.has(v.id)) continue
      const place = this.fleet.glide.at(v.id, now) ?? v
      const away = Math.hypot(place.lng - lng, (place.lat - lat) / across)
      if (away < distance) [nearest, distance] = [v.id, away]
    }
    return nearest
  }
}

type Props = { fleet: Fleet; chosen: string | null; onChoose: (driverId: string) => void }
export function FleetLayer({ fleet, chosen, onChoose }: Props) {
  const drawn = useMap()
  const theme = useTheme()
  const handlers = useRef({ onChoose, chosen, theme })
  handlers.current = { onChoose, chosen, theme }
  const marks = useRef<FleetMarks>(null)
  const clusters = useRef<Cluster[]>([])
  const setClusters = useDrawn('clusters', (t) => [
    {
      id: 'clusters-dot',
      type: 'circle',
      source: 'clusters',
      paint: {
        'circle-radius': ['interpolate', ['linear'], ['get', 'count'], 4, 14, 100, 22, 1000, 30],
        'circle-color': t.panel,
        'circle-stroke-color': t.going,
        'circle-stroke-width': 2,
      },
    },
    {
      id: 'clusters-count',
      type: 'symbol',
      source: 'clusters',
      layout: {
        'text-field': ['get', 'label'],
        'text-font': ['Inter Variable'],
        'text-size': 14,
        'text-allow-overlap': true,
      },
      paint: { 'text-color': t.text },
    },
  ])
  const show = useRef(setClusters)
  show.current = setClusters

  useEffect(() => {
    if (drawn === null) return
    const { map } = drawn
    const drawing = new Drawing(map, fleet, handlers.current.theme)
    map.addLayer(drawing.marks)
    marks.current = drawing.marks
    const cluster = () => {
      if (document.hidden) return
      const found = drawing.cluster()
      if (found.length === 0 && clusters.current.length === 0) return
      clusters.current = found
      show.current({
        type: 'FeatureCollection',
        features: found.map((c, index) => ({
          type: 'Feature',
          properties: { index, count: c.ids.length, label: number(c.ids.length) },
          geometry: { type: 'Point', coordinates: degrees(c) },
        })),
      })
    }
    const click = (event: MapMouseEvent) => {
      const layers = map.getLayer('clusters-dot') ? ['clusters-dot'] : []
      const [hit] = layers.length > 0 ? map.queryRenderedFeatures(event.point, { layers }) : []
      const box = clusters.current[Number(hit?.properties.index)]?.box
      if (hit !== undefined && box !== undefined) {
        fitTo(map, [degrees({ x: box[0], y: box[1] }), degrees({ x: box[2], y: box[3] })])
        return
      }
      const id = drawing.at(event)
      if (id !== null) handlers.current.onChoose(id)
    }
    const over = (event: MapMouseEvent) => {
      map.getCanvas().style.cursor = drawing.at(event) === null ? '' : 'pointer'
    }
    const look = () => {
      const b = map.getBounds()
      fleet.look([
        Math.max(-180, b.getWest()),
        Math.max(-90, b.getSouth()),
        Math.min(180, b.getEast()),
        Math.min(90, b.getNorth()),
      ])
      cluster()
    }
    const timers = [
      setInterval(() => drawing.sync(handlers.current.chosen), SYNC_MS),
      setInterval(cluster, CLUSTER_MS),
      setInterval(() => !document.hidden && map.triggerRepaint(), FADE_MS),
    ]
    map.on('click', click)
    map.on('mousemove', over)
    map.on('moveend', look)
    look()
    return () => {
      for (const timer of timers) clearInterval(timer)
      map.off('click', click)
      map.off('mousemove', over)
      map.off('moveend', look)
      if (map.style && map.getLayer(drawing.marks.id)) map.removeLayer(drawing.marks.id)
    }
  }, [drawn, fleet])
  useEffect(() => marks.current?.recolour(themes[theme]), [theme])
  return null
}
