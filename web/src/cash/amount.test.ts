import { expect, it } from 'vitest'
import { minorOf } from './amount.ts'

it('takes what people type, in whole minor units', () => {
  expect(minorOf('250', 'SEK')).toBe(25_000)
  expect(minorOf('1 250,5', 'SEK')).toBe(125_050)
  expect(minorOf('0.07', 'SEK')).toBe(7)
  expect(minorOf('٢٥٠٫٥', 'SEK')).toBe(25_050)
  expect(minorOf('250', 'JPY')).toBe(250)
})
it('takes nothing that is no amount', () => {
  for (const text of ['', '-5', '1e3', '12.345', 'ten', '1.2.3', 'NaN'])
    expect(minorOf(text, 'SEK')).toBeNull()
  expect(minorOf('1.5', 'JPY')).toBeNull()
})
