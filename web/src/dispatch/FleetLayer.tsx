/** All vehicles as one symbol layer. State shows by shape as well as colour: an arrow is busy, a ring is free; who has
 * not been heard of for a while fades. */
import type { GeoJSONSource, MapLayerMouseEvent, Map as MapLibre } from 'maplibre-gl'
import { useEffect, useRef } from 'react'
import { serverNow } from '@/api/session.ts'
import { useTheme } from '@/app/theme.ts'
import { type Theme, themes } from '@/design/tokens.ts'
import { useMap } from '@/map/Map.tsx'
import type { Fleet } from './fleet.ts'

const FRAME_MS = 100 // ten times a second is smooth enough at this scale, and leaves the page its time
const STALE_MS = 60_000
const SIZE = 48

function mark(draw: (c: CanvasRenderingContext2D) => void): ImageData {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = SIZE
  const c = canvas.getContext('2d') as CanvasRenderingContext2D
  draw(c)
  return c.getImageData(0, 0, SIZE, SIZE)
}
function addMarks(map: MapLibre, theme: Theme): void {
  const arrow = (colour: string) =>
    mark((c) => {
      c.beginPath()
      c.moveTo(SIZE / 2, 4)
      c.lineTo(SIZE - 10, SIZE - 8)
      c.lineTo(SIZE / 2, SIZE - 15)
      c.lineTo(10, SIZE - 8)
      c.closePath()
      c.lineWidth = 4
      c.lineJoin = 'round'
      c.strokeStyle = theme.panel
      c.stroke()
      c.fillStyle = colour
      c.fill()
    })
  const ring = mark((c) => {
    c.beginPath()
    c.arc(SIZE / 2, SIZE / 2, 11, 0, 2 * Math.PI)
    c.lineWidth = 11
    c.strokeStyle = theme.panel
    c.stroke()
    c.lineWidth = 6
    c.strokeStyle = theme.good
    c.stroke()
    c.beginPath() // where he is heading
    c.moveTo(SIZE / 2, 2)
    c.lineTo(SIZE / 2 + 6, 12)
    c.lineTo(SIZE / 2 - 6, 12)
    c.closePath()
    c.fillStyle = theme.good
    c.fill()
  })
  for (const [name, image] of [
    ['fleet-busy', arrow(theme.going)],
    ['fleet-on', ring],
    ['fleet-chosen', arrow(theme.accent)],
  ] as const)
    if (!map.hasImage(name)) map.addImage(name, image, { pixelRatio: 2 })
}

type Props = { fleet: Fleet; chosen: string | null; onChoose: (driverId: string) => void }
export function FleetLayer({ fleet, chosen, onChoose }: Props) {
  const drawn = useMap()
  const theme = useTheme()
  const choose = useRef(onChoose)
  choose.current = onChoose
  const selected = useRef(chosen)
  selected.current = chosen

  useEffect(() => {
    if (drawn === null) return
    const { map } = drawn
    addMarks(map, themes[theme])
    if (map.getSource('fleet') === undefined) {
      map.addSource('fleet', { type: 'geojson', data: { type: 'FeatureCollection', features: [] } })
      map.addLayer({
        id: 'fleet',
        type: 'symbol',
        source: 'fleet',
        layout: {
          'icon-image': ['get', 'icon'],
          'icon-size': ['interpolate', ['linear'], ['zoom'], 10, 0.5, 15, 1],
          'icon-rotate': ['get', 'bearing'],
          'icon-rotation-alignment': 'map',
          'icon-allow-overlap': true,
          'icon-ignore-placement': true,
        },
        paint: { 'icon-opacity': ['case', ['get', 'stale'], 0.45, 1] },
      })
    }
    const click = (event: MapLayerMouseEvent) => {
      const id = event.features?.[0]?.properties.id
      if (typeof id === 'string') choose.current(id)
    }
    const over = () => {
      map.getCanvas().style.cursor = 'pointer'
    }
    const out = () => {
      map.getCanvas().style.cursor = ''
    }
    map.on('click', 'fleet', click)
    map.on('mouseenter', 'fleet', over)
    map.on('mouseleave', 'fleet', out)
    const look = () => {
      const b = map.getBounds()
      fleet.look([
        Math.max(-180, b.getWest()),
        Math.max(-90, b.getSouth()),
        Math.min(180, b.getEast()),
        Math.min(90, b.getNorth()),
      ])
    }
    map.on('moveend', look)
    look()
    return () => {
      map.off('click', 'fleet', click)
      map.off('mouseenter', 'fleet', over)
      map.off('mouseleave', 'fleet', out)
      map.off('moveend', look)
    }
  }, [drawn, fleet, theme])

  useEffect(() => {
    if (drawn === null) return
    let last = -1
    let lastChosen: string | null = null
    const timer = setInterval(() => {
      const now = performance.now()
      const still = fleet.generation === last && lastChosen === selected.current && !fleet.glide.moving(now)
      const source = drawn.map.getSource('fleet') as GeoJSONSource | undefined
      if (still || source === undefined || document.hidden) return
      last = fleet.generation
      lastChosen = selected.current
      const stale = serverNow() - STALE_MS
      source.setData({
        type: 'FeatureCollection',
        features: [...fleet.vehicles.values()].map((v) => {
          const p = fleet.glide.at(v.id, now) ?? { ...v, bearing: 0 }
          return {
            type: 'Feature',
            properties: {
              id: v.id,
              icon: v.id === lastChosen ? 'fleet-chosen' : v.duty === 'busy' ? 'fleet-busy' : 'fleet-on',
              bearing: p.bearing,
              stale: v.at < stale,
            },
            geometry: { type: 'Point', coordinates: [p.lng, p.lat] },
          }
        }),
      })
    }, FRAME_MS)
    return () => clearInterval(timer)
  }, [drawn, fleet])
  return null
}
