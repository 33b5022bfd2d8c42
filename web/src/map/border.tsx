/** Where the platform serves, drawn as an area with its border. */
import type { FeatureCollection, MultiPolygon } from 'geojson'
import { useEffect } from 'react'
import type { Schemas } from '@/api/client.ts'
import { fitTo, useDrawn } from './layers.tsx'
import { useMap } from './Map.tsx'

/** `and`: places that the map shows together with it, at first. */
export function ServiceBorder({ border, and }: { border: Schemas['Boundary']; and: [number, number][] }) {
  const drawn = useMap()
  const set = useDrawn('border', (t) => [
    {
      id: 'border-area',
      type: 'fill',
      source: 'border',
      paint: { 'fill-color': t.accent, 'fill-opacity': 0.12 },
    },
    {
      id: 'border-line',
      type: 'line',
      source: 'border',
      layout: { 'line-join': 'round' },
      paint: { 'line-color': t.accent, 'line-width': 2 },
    },
  ])
  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn when the border or the map is another
  useEffect(() => {
    const geometry = border as MultiPolygon
    const features: FeatureCollection['features'] = [{ type: 'Feature', properties: {}, geometry }]
    set({ type: 'FeatureCollection', features })
    if (drawn !== null)
      fitTo(drawn.map, [
        ...geometry.coordinates.flatMap((rings) => (rings[0] ?? []) as [number, number][]),
        ...and,
      ])
  }, [border, drawn])
  return null
}
