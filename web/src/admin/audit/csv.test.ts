import { expect, it } from 'vitest'
import { csvOf } from './csv.ts'

it('quotes what would be read otherwise, and disarms formulas', () => {
  expect(
    csvOf(
      ['a', 'b'],
      [
        ['x,y', 'say "so"'],
        ['=1+1', -5],
        ['@cmd', null],
      ],
    ),
  ).toBe(`a,b\r\n"x,y","say ""so"""\r\n'=1+1,-5\r\n'@cmd,\r\n`)
})
