import { expect, it } from 'vitest'
import { slope, spread, withSections } from './sections.ts'

it('puts a section in the place of what it was, and keeps the others', () => {
  const order = ['A', 'B', 'C']
  const first = withSections('', order, [
    { title: 'B', lines: ['b'] },
    { title: 'A', lines: ['a', '', '### more', ''] },
  ])
  expect(first).toContain('## A\n\na\n\n### more\n\n## B\n\nb\n')
  const second = withSections(first, order, [
    { title: 'B', lines: ['b2'] },
    { title: 'C', lines: ['c'] },
  ])
  expect(second).toContain('## A\n\na\n\n### more\n\n## B\n\nb2\n\n## C\n\nc\n')
})

it('says how values lie', () => {
  expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, p95: 3, max: 3 })
  expect(spread([])).toEqual({ min: 0, median: 0, p95: 0, max: 0 })
})

it('is not turned by one point that lies off', () => {
  const points = [0, 1, 2, 3, 4, 5].map((x) => ({ x, y: 2 * x + (x === 3 ? 100 : 0) }))
  expect(slope(points)).toBe(2)
  expect(slope([])).toBe(0)
})
