/** What is drawn of an area that is being edited: how it was, how it is, the ring that is chosen with its corners and the
 * middles of its edges, what is wrong, and the ring that is being drawn. */
import type { Feature, FeatureCollection } from 'geojson'
import { useEffect } from 'react'
import { useDrawn } from '@/map/layers.tsx'
import { useMap } from '@/map/Map.tsx'
import type { Fault } from './faults.ts'
import { geoJsonOf, halfway, type Ring, ringOf, type Shape, type Spot } from './shape.ts'

const collection = (features: Feature[]): FeatureCollection => ({ type: 'FeatureCollection', features })
const feature = (geometry: Feature['geometry'], properties: Feature['properties'] = {}): Feature => ({
  type: 'Feature',
  properties,
  geometry,
})
const areaOf = (shape: Shape): Feature[] => {
  const geometry = geoJsonOf(shape)
  return geometry === null ? [] : [feature(geometry as Feature['geometry'])]
}
const line = (ring: Ring, closed: boolean, properties: Feature['properties'] = {}) =>
  feature({ type: 'LineString', coordinates: closed && ring[0] ? [...ring, ring[0]] : ring }, properties)
const points = (ring: Ring, kind: string) =>
  ring.map((coordinates) => feature({ type: 'Point', coordinates }, { kind }))

type Props = { before: Shape; shape: Shape; spot: Spot | null; drawing: Ring | null; faults: Fault[] }
export function AreaLayers({ before, shape, spot, drawing, faults }: Props) {
  const drawn = useMap()
  const setBefore = useDrawn('area-before', (t) => [
    {
      id: 'area-before-line',
      type: 'line',
      source: 'area-before',
      paint: { 'line-color': t.quiet, 'line-width': 2, 'line-dasharray': [3, 2] },
    },
  ])
  const setNow = useDrawn('area-now', (t) => [
    {
      id: 'area-now-fill',
      type: 'fill',
      source: 'area-now',
      paint: { 'fill-color': t.accent, 'fill-opacity': 0.16 },
    },
    {
      id: 'area-now-line',
      type: 'line',
      source: 'area-now',
      layout: { 'line-join': 'round' },
      paint: { 'line-color': t.accent, 'line-width': 2 },
    },
  ])
  const setEdges = useDrawn('area-edges', (t) => [
    {
      id: 'area-edges-line',
      type: 'line',
      source: 'area-edges',
      layout: { 'line-join': 'round', 'line-cap': 'round' },
      paint: { 'line-color': ['case', ['get', 'bad'], t.bad, t.going], 'line-width': 3 },
    },
  ])
  const setPoints = useDrawn('area-points', (t) => [
    {
      id: 'area-points-dot',
      type: 'circle',
      source: 'area-points',
      paint: {
        'circle-radius': ['match', ['get', 'kind'], 'middle', 5, 'bad', 12, 7],
        'circle-color': ['match', ['get', 'kind'], 'middle', t.raised, 'bad', 'rgba(0,0,0,0)', t.panel],
        'circle-stroke-color': ['match', ['get', 'kind'], 'bad', t.bad, t.going],
        'circle-stroke-width': ['match', ['get', 'kind'], 'bad', 3, 2],
      },
    },
  ])
  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn when what it shows or the map is another
  useEffect(() => setBefore(collection(areaOf(before))), [before, drawn])
  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn when what it shows or the map is another
  useEffect(() => {
    const chosen = ringOf(shape, spot)
    const bad = faults.flatMap((f) =>
      f.polygon === null ? [] : [line(shape[f.polygon]?.[f.ring ?? 0] ?? [], true, { bad: true })],
    )
    const middles =
      drawing !== null
        ? []
        : (chosen ?? []).flatMap((_, corner) => {
            const at = halfway(shape, { ...(spot as Spot), corner })
            return at === null ? [] : [at]
          })
    setNow(collection(areaOf(shape)))
    setEdges(
      collection([
        ...(chosen ? [line(chosen, true, { bad: false })] : []),
        ...bad,
        ...(drawing && drawing.length > 1 ? [line(drawing, false, { bad: false })] : []),
      ]),
    )
    setPoints(
      collection([
        ...points(middles, 'middle'),
        ...points(drawing ?? chosen ?? [], 'corner'),
        ...faults.flatMap((f) => (f.at === null ? [] : points([f.at], 'bad'))),
      ]),
    )
  }, [shape, spot, drawing, faults, drawn])
  return null
}
