import { describe, expect, it } from 'vitest'
import { arranged, nextSort, sortOf } from './order.ts'

type Row = { name: string; age: number | null }
const rows: Row[] = [
  { name: 'Åsa Berg', age: 31 },
  { name: 'Bo 10', age: null },
  { name: 'bo 9', age: 4 },
]
const columns = [
  { id: 'name', value: (r: Row) => r.name },
  { id: 'age', value: (r: Row) => r.age },
  { id: 'acts' },
]
const names = (text: string, sort: string | null) =>
  arranged(rows, columns, text, sortOf(sort), 'sv').map((r) => r.name)

describe('rows of a table', () => {
  it('keep their order until one is asked for', () =>
    expect(names('', null)).toEqual(['Åsa Berg', 'Bo 10', 'bo 9']))
  it('go by the language, figures by their size', () =>
    expect(names('', 'name')).toEqual(['bo 9', 'Bo 10', 'Åsa Berg']))
  it('have what is not known last, up and down', () => {
    expect(names('', 'age')).toEqual(['bo 9', 'Åsa Berg', 'Bo 10'])
    expect(names('', '-age')).toEqual(['Åsa Berg', 'bo 9', 'Bo 10'])
  })
  it('are found by all words, wherever they stand', () => {
    expect(names('31 åsa', null)).toEqual(['Åsa Berg'])
    expect(names('31 bo', null)).toEqual([])
  })
  it('a column without a value sorts nothing', () => expect(names('', 'acts')).toHaveLength(3))
  it('a head goes from up to down to as it came', () =>
    expect([
      nextSort(null, 'a'),
      nextSort(sortOf('a'), 'a'),
      nextSort(sortOf('-a'), 'a'),
      nextSort(sortOf('b'), 'a'),
    ]).toEqual(['a', '-a', null, 'a']))
})
