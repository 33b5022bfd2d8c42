/** A service area as it is drawn: polygons, each an outer ring and its holes. Rings are open here (the first corner is not
 * said again at the end), and nothing is ever changed in place. Without a polygon any place is served. */
import type { Schemas } from '@/api/client.ts'

export type Position = [lng: number, lat: number]
export type Ring = Position[]
export type Polygon = Ring[]
export type Shape = Polygon[]
export type Spot = { polygon: number; ring: number; corner: number | null }

/** What the server takes; it is the one that decides. */
export const limits = { corners: 2000, rings: 256, polygons: 64 }
export const FILE_BYTES_MAX = 2_000_000

/** A tenth of a metre is as fine as anybody can point. */
const rounded = (degrees: number) => Math.round(degrees * 1e6) / 1e6
export const position = (lng: number, lat: number): Position => [rounded(lng), rounded(lat)]

export function ringOf(shape: Shape, spot: Spot | null): Ring | null {
  return spot === null ? null : (shape[spot.polygon]?.[spot.ring] ?? null)
}
export function cornerOf(shape: Shape, spot: Spot | null): Position | null {
  return spot === null || spot.corner === null ? null : (ringOf(shape, spot)?.[spot.corner] ?? null)
}
export function count(shape: Shape): { corners: number; rings: number } {
  const rings = shape.flat()
  return { corners: rings.reduce((sum, ring) => sum + ring.length, 0), rings: rings.length }
}

export function withRing(shape: Shape, { polygon, ring }: Spot, next: Ring): Shape {
  return shape.map((p, i) => (i === polygon ? p.map((r, j) => (j === ring ? next : r)) : p))
}
export function moved(shape: Shape, spot: Spot, to: Position): Shape {
  const ring = ringOf(shape, spot) ?? []
  return withRing(
    shape,
    spot,
    ring.map((p, i) => (i === spot.corner ? to : p)),
  )
}
/** A corner more, behind the one that SPOT names. */
export function inserted(shape: Shape, spot: Spot, at: Position): Shape {
  return withRing(shape, spot, (ringOf(shape, spot) ?? []).toSpliced((spot.corner ?? -1) + 1, 0, at))
}
/** Halfway from the corner that SPOT names to the next one. */
export function halfway(shape: Shape, spot: Spot): Position | null {
  const ring = ringOf(shape, spot)
  const from = cornerOf(shape, spot)
  if (ring === null || from === null) return null
  const to = ring[((spot.corner as number) + 1) % ring.length] as Position
  return position((from[0] + to[0]) / 2, (from[1] + to[1]) / 2)
}
/** Without a corner; a ring of fewer than three goes as a whole, and an outer one takes its holes with it. */
export function withoutCorner(shape: Shape, spot: Spot): Shape {
  const ring = ringOf(shape, spot) ?? []
  return ring.length <= 3
    ? withoutRing(shape, spot)
    : withRing(
        shape,
        spot,
        ring.filter((_, i) => i !== spot.corner),
      )
}
export function withoutRing(shape: Shape, { polygon, ring }: Spot): Shape {
  return ring === 0
    ? shape.filter((_, i) => i !== polygon)
    : shape.map((p, i) => (i === polygon ? p.filter((_, j) => j !== ring) : p))
}

/** Is AT inside of RING, by the even-odd rule? */
export function inside(ring: Ring, [x, y]: Position): boolean {
  let is = false
  ring.forEach(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length] as Position
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) is = !is
  })
  return is
}
/** The ring that somebody means who points at AT: a hole before the polygon that it is in. */
export function ringAt(shape: Shape, at: Position): Spot | null {
  for (let polygon = shape.length - 1; polygon >= 0; polygon--) {
    const [outer = [], ...holes] = shape[polygon] as Polygon
    if (!inside(outer, at)) continue
    return { polygon, ring: holes.findIndex((hole) => inside(hole, at)) + 1, corner: null }
  }
  return null
}

// ---- as GeoJSON (RFC 7946) ----

const closed = (ring: Ring): Ring => (ring[0] ? [...ring, ring[0]] : [])
export function geoJsonOf(shape: Shape): Schemas['Boundary'] | null {
  return shape.length === 0
    ? null
    : ({ type: 'MultiPolygon', coordinates: shape.map((p) => p.map(closed)) } as Schemas['Boundary'])
}

const isPosition = (v: unknown): v is Position =>
  Array.isArray(v) && v.length >= 2 && v.slice(0, 2).every((n) => typeof n === 'number' && Number.isFinite(n))
function readRing(v: unknown): Ring | null {
  if (!Array.isArray(v) || v.length < 4 || !v.every(isPosition)) return null
  const ring = v.map(([lng, lat]) => position(lng, lat))
  const [first, last] = [ring[0] as Position, ring.at(-1) as Position]
  return first[0] === last[0] && first[1] === last[1] ? ring.slice(0, -1) : ring
}
function readPolygon(v: unknown): Polygon | null {
  const rings = Array.isArray(v) ? v.map(readRing) : []
  return rings.length > 0 && rings.every((r) => r !== null) ? (rings as Polygon) : null
}
type Json = {
  type?: unknown
  coordinates?: unknown
  geometry?: unknown
  features?: unknown
  geometries?: unknown
}
/** The polygons of a Polygon, MultiPolygon, Feature or FeatureCollection together; null: it is none of them. */
export function readGeoJson(value: unknown): Shape | null {
  if (typeof value !== 'object' || value === null) return null
  const v = value as Json
  const all = (parts: unknown, read: (part: unknown) => Shape | null): Shape | null => {
    const shapes = Array.isArray(parts) ? parts.map(read) : [null]
    return shapes.every((s) => s !== null) ? shapes.flat() : null
  }
  const polygon = (part: unknown) => {
    const read = readPolygon(part)
    return read === null ? null : [read]
  }
  switch (v.type) {
    case 'Polygon':
      return polygon(v.coordinates)
    case 'MultiPolygon':
      return all(v.coordinates, polygon)
    case 'Feature':
      return readGeoJson(v.geometry)
    case 'FeatureCollection':
      return all(v.features, readGeoJson)
    default:
      return null
  }
}

// ---- as a list of coordinates, "57.7089, 11.9746", one a line ----

export function textOf(ring: Ring): string {
  return ring.map(([lng, lat]) => `${lat}, ${lng}`).join('\n')
}
/** The corners, or the number of the first line that is none. */
export function ringOfText(text: string): Ring | number {
  const ring: Ring = []
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const numbers = line
      .trim()
      .split(/[\s,;]+/)
      .map(Number)
    const [lat = Number.NaN, lng = Number.NaN] = numbers
    if (numbers.length !== 2 || !(Math.abs(lat) <= 90) || !(Math.abs(lng) <= 180)) return index + 1
    ring.push(position(lng, lat))
  }
  const [first, last] = [ring[0], ring.at(-1)]
  return ring.length > 3 && first?.[0] === last?.[0] && first?.[1] === last?.[1] ? ring.slice(0, -1) : ring
}
