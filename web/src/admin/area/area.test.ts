import { describe, expect, it } from 'vitest'
import { faultsOf, refusedFaults } from './faults.ts'
import { begin, reduce, STEPS_MAX } from './history.ts'
import { changeOf, ringKm2 } from './measure.ts'
import {
  geoJsonOf,
  halfway,
  inserted,
  limits,
  moved,
  type Ring,
  readGeoJson,
  ringAt,
  ringOfText,
  type Shape,
  textOf,
  withoutCorner,
  withoutRing,
} from './shape.ts'

const box = (w: number, s: number, e: number, n: number): Ring => [
  [w, s],
  [e, s],
  [e, n],
  [w, n],
]
const town = box(11.8, 57.6, 12.2, 57.8)
const lake = box(11.9, 57.65, 12, 57.7)
const spot = { polygon: 0, ring: 0, corner: 1 }

describe('the shape', () => {
  it('comes from GeoJSON and goes there', () => {
    const shape: Shape = [[town, lake], [box(11, 57, 11.1, 57.1)]]
    const json = geoJsonOf(shape)
    expect(json?.coordinates[0]?.[0]).toHaveLength(5)
    expect(readGeoJson(json)).toEqual(shape)
    const feature = {
      type: 'Feature',
      properties: {},
      geometry: { type: 'Polygon', coordinates: [[...town, town[0]]] },
    }
    expect(readGeoJson({ type: 'FeatureCollection', features: [feature, feature] })).toEqual([[town], [town]])
    expect(geoJsonOf([])).toBeNull()
    for (const bad of [
      null,
      3,
      {},
      { type: 'Point', coordinates: [1, 2] },
      { type: 'Polygon', coordinates: [[1]] },
    ])
      expect(readGeoJson(bad)).toBeNull()
  })
  it('is changed corner by corner, and what it was stays', () => {
    const shape: Shape = [[town, lake]]
    expect(moved(shape, spot, [12.5, 57.5])[0]?.[0]?.[1]).toEqual([12.5, 57.5])
    expect(inserted(shape, spot, [12.3, 57.7])[0]?.[0]?.[2]).toEqual([12.3, 57.7])
    expect(halfway(shape, { ...spot, corner: 3 })).toEqual([11.8, 57.7])
    expect(withoutCorner(shape, spot)[0]?.[0]).toHaveLength(3)
    expect(withoutCorner([[town.slice(0, 3), lake]], spot)).toEqual([])
    expect(withoutRing(shape, { polygon: 0, ring: 1, corner: null })).toEqual([[town]])
    expect(shape).toEqual([[town, lake]])
  })
  it('knows which ring is meant', () => {
    expect(ringAt([[town, lake]], [11.95, 57.68])).toEqual({ polygon: 0, ring: 1, corner: null })
    expect(ringAt([[town, lake]], [12.1, 57.68])).toEqual({ polygon: 0, ring: 0, corner: null })
    expect(ringAt([[town, lake]], [13, 57.68])).toBeNull()
  })
  it('is written as a list, and read from one', () => {
    expect(ringOfText(textOf(town))).toEqual(town)
    expect(ringOfText('57.6, 11.8\n\n57.6;12.2\n57.8 12.2\n57.6, 11.8')).toEqual([
      [11.8, 57.6],
      [12.2, 57.6],
      [12.2, 57.8],
    ])
    expect(ringOfText('57.6, 11.8\nfifty')).toBe(2)
    expect(ringOfText('97.6, 11.8')).toBe(1)
  })
})

describe('faults', () => {
  const keys = (shape: Shape) => faultsOf(shape).map((f) => `${f.key} ${f.polygon} ${f.ring}`)
  it('finds none where there are none', () => expect(keys([[town, lake], [town]])).toEqual([]))
  it('names the ring and shows the place', () => {
    const bow: Ring = [
      [11, 57],
      [13, 58],
      [13, 57],
      [11, 58],
    ]
    expect(faultsOf([[town], [bow]])).toEqual([{ key: 'itself', polygon: 1, ring: 0, at: [12, 57.5] }])
    expect(keys([[town, box(12.1, 57.7, 12.3, 57.75)]])).toEqual(['another 0 1'])
    expect(keys([[town, box(13, 57, 13.1, 57.1)]])).toEqual(['outside 0 1'])
    expect(keys([[town.slice(0, 2)]])).toEqual(['few 0 0'])
    expect(
      keys([
        [
          [
            [1, 1],
            [1, 1],
            [1, 1],
          ],
        ],
      ]),
    ).toEqual(['nothing 0 0'])
    const spike: Ring = [...town.slice(0, 2), [12.3, 57.6], ...town.slice(2)]
    expect(keys([[[...spike.slice(0, 3), [12.1, 57.6], ...spike.slice(3)]]])).toEqual(['itself 0 0'])
    const touching: Ring = [...town, [12, 57.6]]
    expect(keys([[touching]])).toEqual(['itself 0 0'])
  })
  it('counts', () => {
    const many: Ring = Array.from({ length: limits.corners + 1 }, (_, i) => [i / 100, i % 2])
    expect(keys([[many]])).toEqual(['corners null null'])
    expect(keys(Array.from({ length: limits.polygons + 1 }, () => [town]))).toEqual(['polygons null null'])
  })
  it('says what the server says where it says it', () => {
    const [one, two] = refusedFaults([
      { pointer: '/area/coordinates/1/2', detail: 'meets itself' },
      { pointer: '/area', detail: 'has no polygon' },
    ])
    expect(one).toMatchObject({ polygon: 1, ring: 2, said: 'meets itself' })
    expect(two).toMatchObject({ polygon: null, ring: null })
  })
})

it('is undone and done again, and a drag is one step', () => {
  let state = begin([[town]])
  for (const lng of [12.3, 12.4, 12.5])
    state = reduce(state, { type: 'put', shape: moved(state.shape, spot, [lng, 57.6]), key: 'drag 1' })
  expect(state.past).toHaveLength(1)
  state = reduce(state, { type: 'put', shape: [], spot: null })
  state = reduce(state, { type: 'undo' })
  expect(state.shape[0]?.[0]?.[1]).toEqual([12.5, 57.6])
  state = reduce(state, { type: 'undo' })
  expect(state.shape).toEqual([[town]])
  expect(reduce(state, { type: 'undo' })).toBe(state)
  state = reduce(reduce(state, { type: 'redo' }), { type: 'redo' })
  expect(state.shape).toEqual([])
  for (let i = 0; i < STEPS_MAX + 5; i++) state = reduce(state, { type: 'put', shape: [[town]] })
  expect(state.past).toHaveLength(STEPS_MAX)
})

it('reckons areas, and what is added and lost', async () => {
  // A degree by a degree at the equator; the same on the other side turned the other way.
  expect(ringKm2(box(0, -0.5, 1, 0.5))).toBeCloseTo(12363.7, 0)
  expect(ringKm2(box(0, -0.5, 1, 0.5).toReversed())).toBeCloseTo(12363.7, 0)
  const east = box(12, 57.6, 12.4, 57.8)
  const half = ringKm2(town) / 2
  const change = await changeOf([[town]], [[east]])
  expect(change?.added).toBeCloseTo(half, 3)
  expect(change?.lost).toBeCloseTo(half, 3)
  expect((await changeOf([[town]], [[town, lake]]))?.lost).toBeCloseTo(ringKm2(lake), 3)
  expect((await changeOf([[town]], [[town], [east]]))?.now).toBeCloseTo(3 * half, 3) // what is twice there counts once
})
