import { expect, test } from 'vitest'
import { isDate, plusDays, rangeOf, spanOf, spans } from './range.ts'

test('a span ends today and has its number of days', () => {
  expect(rangeOf('week', '2026-11-03')).toEqual({ from: '2026-10-28', to: '2026-11-03' })
  expect(plusDays('2028-02-28', 2)).toBe('2028-03-01')
  for (const span of spans) expect(spanOf(rangeOf(span, '2026-03-30'))).toBe(span)
  expect(spanOf({ from: '2026-11-02', to: '2026-11-03' })).toBeNull()
})
test('only dates that there are count as dates', () => {
  expect(['2026-11-29', '2028-02-29'].every(isDate)).toBe(true)
  expect(['2026-02-30', '26-1-1', '', 'today', '2026-13-01', null].some(isDate)).toBe(false)
})
