import { expect, it } from 'vitest'
import { all, between, nothing, pressed, still } from './select.ts'

const list = ['a', 'b', 'c', 'd', 'e']
const no = { ctrlKey: false, metaKey: false, shiftKey: false }
const ids = (s: { ids: ReadonlySet<string> }) => [...s.ids].sort().join('')

it('a press chooses one, Ctrl more or less, Shift all between', () => {
  let s = pressed(nothing, list, 'b', no)
  expect(ids(s)).toBe('b')
  s = pressed(s, list, 'd', { ...no, ctrlKey: true })
  expect(ids(s)).toBe('bd')
  s = pressed(s, list, 'b', { ...no, metaKey: true })
  expect(ids(s)).toBe('d')
  s = pressed(pressed(s, list, 'd', no), list, 'b', { ...no, shiftKey: true })
  expect(ids(s)).toBe('bcd')
  s = pressed(s, list, 'e', { ...no, shiftKey: true }) // from the same anchor
  expect(ids(s)).toBe('de')
  expect(ids(all(list))).toBe('abcde')
})
it('what has left the list is not chosen, nor an anchor', () => {
  const s = all(list)
  expect(ids(still(s, ['b', 'c']))).toBe('bc')
  expect(still(s, list)).toBe(s)
  expect([...between(list, 'gone', 'c')]).toEqual(['c'])
  expect([...between(list, 'a', 'gone')]).toEqual([])
})
