import { expect, it } from 'vitest'
import { HEIGHT, sketched, WIDTH } from './sketch.ts'

it('keeps every point in sight, north up, east to the right', () => {
  const [south, north, east] = sketched([
    { lng: 11.97, lat: 57.69 },
    { lng: 11.97, lat: 57.72 },
    { lng: 12.2, lat: 57.7 },
  ])
  expect(north?.y).toBeLessThan(south?.y ?? 0)
  expect(east?.x).toBeGreaterThan(south?.x ?? 0)
  for (const p of [south, north, east]) {
    expect(p?.x).toBeGreaterThan(39.9)
    expect(p?.x).toBeLessThan(WIDTH - 39.9)
    expect(p?.y).toBeGreaterThan(39.9)
    expect(p?.y).toBeLessThan(HEIGHT - 39.9)
  }
})

it('puts a single point in the middle, and two near ones near', () => {
  expect(sketched([{ lng: 11.97, lat: 57.7 }])).toEqual([{ x: WIDTH / 2, y: HEIGHT / 2 }])
  const [a, b] = sketched([
    { lng: 11.97, lat: 57.7 },
    { lng: 11.97, lat: 57.70001 },
  ])
  expect(Math.abs((a?.y ?? 0) - (b?.y ?? 0))).toBeLessThan(2)
  expect(sketched([])).toEqual([])
})
