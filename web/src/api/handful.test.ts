import { expect, it } from 'vitest'
import { Handful } from './handful.ts'

const said = (driver_id: string, lat: number) =>
  JSON.stringify({ type: 'position', data: { driver_id, lat } })

it('keeps the newest place of each, and leaves everything else alone', () => {
  const handful = new Handful()
  expect(handful.take('{"type":"pong"}')).toBe(false)
  expect(handful.take('{"type":"booking.updated","seq":1,"data":{}}')).toBe(false)
  expect(handful.isEmpty()).toBe(true)
  for (const [id, lat] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
  ] as const)
    expect(handful.take(said(id, lat))).toBe(true)
  expect(handful.give()).toEqual([
    { driver_id: 'b', lat: 2 },
    { driver_id: 'a', lat: 3 },
  ])
  expect(handful.isEmpty()).toBe(true)
  expect(handful.give()).toEqual([])
})
