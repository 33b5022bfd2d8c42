/** The map's style, made from the tokens. The source is the server's vector tiles; without them land is drawn alone,
 * and vehicles and stops still have their places. Labels are drawn with the page's own font: there is no glyph server. */
import type { LayerSpecification, Map as MapLibre, StyleSpecification } from 'maplibre-gl'
import type { ThemeName } from '@/app/theme.ts'
import { type Theme, themes } from '@/design/tokens.ts'

/** What GET /v1/map answers. */
export type Basemap = {
  tiles: string // "/v1/map/tiles/{z}/{x}/{y}.pbf"
  minzoom: number
  maxzoom: number
  bounds: [number, number, number, number]
  attribution: string
}

const width = (at12: number, at18: number) =>
  ['interpolate', ['exponential', 1.5], ['zoom'], 10, at12 / 2, 12, at12, 18, at18] as unknown as number

function layers(theme: Theme): StyleSpecification['layers'] {
  const map = theme.map
  const street = (id: string, classes: string[], colour: string, w: number, minzoom = 0) => [
    {
      id: `${id}-case`,
      type: 'line' as const,
      source: 'base',
      'source-layer': 'transportation',
      minzoom,
      filter: ['in', ['get', 'class'], ['literal', classes]] as never,
      layout: { 'line-cap': 'round' as const, 'line-join': 'round' as const },
      paint: { 'line-color': map.streetCase, 'line-width': width(w + 0.8, w * 8 + 3) },
    },
    {
      id,
      type: 'line' as const,
      source: 'base',
      'source-layer': 'transportation',
      minzoom,
      filter: ['in', ['get', 'class'], ['literal', classes]] as never,
      layout: { 'line-cap': 'round' as const, 'line-join': 'round' as const },
      paint: { 'line-color': colour, 'line-width': width(w, w * 8) },
    },
  ]
  return [
    {
      id: 'green',
      type: 'fill',
      source: 'base',
      'source-layer': 'landcover',
      paint: { 'fill-color': map.green },
    },
    {
      id: 'water',
      type: 'fill',
      source: 'base',
      'source-layer': 'water',
      paint: { 'fill-color': map.water },
    },
    {
      id: 'waterway',
      type: 'line',
      source: 'base',
      'source-layer': 'waterway',
      paint: { 'line-color': map.water, 'line-width': width(1, 5) },
    },
    {
      id: 'buildings',
      type: 'fill',
      source: 'base',
      'source-layer': 'building',
      minzoom: 14,
      paint: { 'fill-color': map.building },
    },
    ...street('minor', ['minor', 'service', 'track', 'path', 'tertiary'], map.street, 1, 12),
    ...street('main', ['secondary', 'primary', 'trunk'], map.mainStreet, 2),
    ...street('motorway', ['motorway'], map.motorway, 2.5),
    {
      id: 'street-names',
      type: 'symbol',
      source: 'base',
      'source-layer': 'transportation_name',
      minzoom: 13,
      layout: {
        'symbol-placement': 'line',
        'text-field': ['coalesce', ['get', 'name:latin'], ['get', 'name']],
        'text-font': ['Inter Variable'],
        'text-size': 12,
      },
      paint: { 'text-color': map.label, 'text-halo-color': map.labelHalo, 'text-halo-width': 1.5 },
    },
    {
      id: 'places',
      type: 'symbol',
      source: 'base',
      'source-layer': 'place',
      layout: {
        'text-field': ['coalesce', ['get', 'name:latin'], ['get', 'name']],
        'text-font': ['Inter Variable'],
        'text-size': 14,
      },
      paint: { 'text-color': map.label, 'text-halo-color': map.labelHalo, 'text-halo-width': 1.5 },
    },
  ]
}

const transition = { duration: 0, delay: 0 } // other colours come at once, as the page's do

export function mapStyle(name: ThemeName, basemap: Basemap | null): StyleSpecification {
  const theme = themes[name]
  const land = { id: 'land', type: 'background' as const, paint: { 'background-color': theme.map.land } }
  if (basemap === null) return { version: 8, transition, sources: {}, layers: [land] }
  return {
    version: 8,
    transition,
    sources: {
      base: {
        type: 'vector',
        tiles: [
          new URL(basemap.tiles, window.location.origin).href.replaceAll('%7B', '{').replaceAll('%7D', '}'),
        ],
        minzoom: basemap.minzoom,
        maxzoom: basemap.maxzoom,
        bounds: basemap.bounds,
        attribution: basemap.attribution,
      },
    },
    layers: [land, ...layers(theme)],
  }
}

/** Gives MAP's layers the paint of LAYERS, which are the same in the colours of another theme. The style itself stays: with a new
 * one each tile is read again, and MapLibre's workers are ended and started anew. */
export function recolour(
  map: Pick<MapLibre, 'getLayer' | 'setPaintProperty'>,
  layers: LayerSpecification[],
): void {
  for (const layer of layers) {
    if (map.getLayer(layer.id) === undefined) continue
    for (const [name, value] of Object.entries(layer.paint ?? {}))
      map.setPaintProperty(layer.id, name as Parameters<MapLibre['setPaintProperty']>[1], value)
  }
}
