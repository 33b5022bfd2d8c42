/** What pages draw on the map: a route, stops, vehicles. Each is one source and its layers, made again with the map's style,
 * and coloured again with the theme. */
import type { FeatureCollection } from 'geojson'
import type { GeoJSONSource, LayerSpecification, Map as MapLibre } from 'maplibre-gl'
import { useEffect, useRef } from 'react'
import { useTheme } from '@/app/theme.ts'
import { type Theme, themes } from '@/design/tokens.ts'
import { Glide } from './glide.ts'
import { useMap } from './Map.tsx'
import { recolour } from './style.ts'

const nothing: FeatureCollection = { type: 'FeatureCollection', features: [] }

/** A source named ID with LAYERS on it; the function that is returned gives it new data. PREPARE makes the pictures that the layers
 * show, and makes them again in the colours of another theme. */
export function useDrawn(
  id: string,
  layers: (theme: Theme) => LayerSpecification[],
  prepare?: (map: MapLibre, theme: Theme) => void,
) {
  const drawn = useMap()
  const theme = useTheme()
  const last = useRef<FeatureCollection>(nothing)
  const made = useRef({ layers, prepare, theme })
  made.current = { layers, prepare, theme }
  useEffect(() => {
    if (drawn === null) return
    const { map } = drawn
    if (map.getSource(id) !== undefined) return
    const { layers, prepare, theme } = made.current
    prepare?.(map, themes[theme])
    map.addSource(id, { type: 'geojson', data: last.current })
    for (const layer of layers(themes[theme])) map.addLayer(layer)
    return () => {
      if (!map.style) return // the whole map is gone
      for (const layer of layers(themes[theme])) if (map.getLayer(layer.id)) map.removeLayer(layer.id)
      if (map.getSource(id)) map.removeSource(id)
    }
  }, [drawn, id])
  const coloured = useRef(theme)
  useEffect(() => {
    if (drawn === null || coloured.current === theme) return
    coloured.current = theme
    made.current.prepare?.(drawn.map, themes[theme])
    recolour(drawn.map, made.current.layers(themes[theme]))
  }, [drawn, theme])
  return (data: FeatureCollection) => {
    last.current = data
    ;(drawn?.map.getSource(id) as GeoJSONSource | undefined)?.setData(data)
  }
}

export function RouteLine({ line, fit }: { line: [number, number][]; fit?: boolean }) {
  const drawn = useMap()
  const set = useDrawn('route', (t) => [
    {
      id: 'route-case',
      type: 'line',
      source: 'route',
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': t.panel, 'line-width': 8 },
    },
    {
      id: 'route-line',
      type: 'line',
      source: 'route',
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': t.going, 'line-width': 4 },
    },
  ])
  const key = `${line.length}/${line[0]}/${line.at(-1)}`
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the line
  useEffect(() => {
    set({
      type: 'FeatureCollection',
      features:
        line.length < 2
          ? []
          : [{ type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates: line } }],
    })
    if (fit && line.length > 0 && drawn !== null) fitTo(drawn.map, line)
  }, [key, fit, drawn])
  return null
}

export function fitTo(map: MapLibre, points: [number, number][]): void {
  const lngs = points.map((p) => p[0])
  const lats = points.map((p) => p[1])
  map.fitBounds(
    [
      [Math.min(...lngs), Math.min(...lats)],
      [Math.max(...lngs), Math.max(...lats)],
    ],
    {
      padding: 48,
      maxZoom: 16,
      duration: window.matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 200,
    },
  )
}

export type StopMark = { lng: number; lat: number; label: string; done?: boolean }
export function StopMarks({ stops }: { stops: StopMark[] }) {
  const drawn = useMap()
  const set = useDrawn('stops', (t) => [
    {
      id: 'stops-dot',
      type: 'circle',
      source: 'stops',
      paint: {
        'circle-radius': 12,
        'circle-color': ['case', ['get', 'done'], t.good, t.text],
        'circle-stroke-color': t.panel,
        'circle-stroke-width': 2,
      },
    },
    {
      id: 'stops-label',
      type: 'symbol',
      source: 'stops',
      layout: {
        'text-field': ['get', 'label'],
        'text-font': ['Inter Variable'],
        'text-size': 14,
        'text-allow-overlap': true,
      },
      paint: { 'text-color': t.panel },
    },
  ])
  const key = JSON.stringify(stops)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the stops
  useEffect(() => {
    set({
      type: 'FeatureCollection',
      features: stops.map(({ lng, lat, label, done }) => ({
        type: 'Feature',
        properties: { label, done: done === true },
        geometry: { type: 'Point', coordinates: [lng, lat] },
      })),
    })
  }, [key, drawn])
  return null
}

/** An arrow that points north, drawn in COLOUR with a rim; turned by the layer. */
function arrow(colour: string, rim: string): ImageData {
  const size = 56
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = size
  const c = canvas.getContext('2d') as CanvasRenderingContext2D
  c.beginPath()
  c.moveTo(size / 2, 6)
  c.lineTo(size - 12, size - 10)
  c.lineTo(size / 2, size - 18)
  c.lineTo(12, size - 10)
  c.closePath()
  c.fillStyle = colour
  c.strokeStyle = rim
  c.lineWidth = 5
  c.lineJoin = 'round'
  c.stroke()
  c.fill()
  return c.getImageData(0, 0, size, size)
}

export type VehicleMark = { id: string; lng: number; lat: number; bearing: number | null; at: string }
/** One vehicle that is watched; it glides. */
export function VehicleMarks({ vehicles }: { vehicles: VehicleMark[] }) {
  const drawn = useMap()
  const glide = useRef(new Glide(window.matchMedia('(prefers-reduced-motion: reduce)').matches))
  const set = useDrawn(
    'vehicles',
    () => [
      {
        id: 'vehicles-arrow',
        type: 'symbol',
        source: 'vehicles',
        layout: {
          'icon-image': 'vehicle',
          'icon-size': 0.75,
          'icon-rotate': ['get', 'bearing'],
          'icon-rotation-alignment': 'map',
          'icon-allow-overlap': true,
        },
      },
    ],
    (map, t) => {
      const picture = arrow(t.going, t.panel)
      if (map.hasImage('vehicle')) map.updateImage('vehicle', picture)
      else map.addImage('vehicle', picture, { pixelRatio: 2 })
    },
  )
  const key = vehicles.map((v) => `${v.id}${v.at}`).join()
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the vehicles
  useEffect(() => {
    const now = performance.now()
    for (const id of glide.current.ids()) if (!vehicles.some((v) => v.id === id)) glide.current.remove(id)
    for (const v of vehicles) glide.current.move(v.id, v.lng, v.lat, v.bearing, now)
    let frame = 0
    const draw = () => {
      const at = performance.now()
      set({
        type: 'FeatureCollection',
        features: [...glide.current.ids()].flatMap((id) => {
          const p = glide.current.at(id, at)
          return p === null
            ? []
            : [
                {
                  type: 'Feature' as const,
                  properties: { id, bearing: p.bearing },
                  geometry: { type: 'Point' as const, coordinates: [p.lng, p.lat] },
                },
              ]
        }),
      })
      if (glide.current.moving(at)) frame = requestAnimationFrame(draw)
    }
    draw()
    return () => cancelAnimationFrame(frame)
  }, [key, drawn])
  return null
}
