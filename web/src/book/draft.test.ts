import { expect, it } from 'vitest'
import { emptyStop, movedStop } from './draft.ts'

it('moves a stop and keeps the others in order', () => {
  const stops = ['a', 'b', 'c'].map((address) => ({ ...emptyStop(), address }))
  const names = (list: typeof stops) => list.map((s) => s.address).join('')
  expect(names(movedStop(stops, 0, 2))).toBe('bca')
  expect(names(movedStop(stops, 2, 0))).toBe('cab')
  expect(names(movedStop(stops, 5, 0))).toBe('abc')
})
