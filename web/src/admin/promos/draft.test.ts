import { expect, it } from 'vitest'
import type { Schemas } from '@/api/client.ts'
import { fresh, requestOf, schema, stateOf } from './draft.ts'

const faults = (over: object) =>
  schema.safeParse({ ...fresh, code: 'SPRING26', ...over }).error?.issues.map((i) => i.path.join('.')) ?? []

it('asks for what was typed and nothing else', () => {
  const draft = schema.parse({ ...fresh, code: 'spring26', percent: '20', cap: '50,5', vehicles: ['van'] })
  expect(requestOf(draft, 'SEK')).toEqual({
    code: 'spring26',
    percent: 20,
    cap: 5050,
    uses_per_customer_max: 1,
    vehicles: ['van'],
  })
  const sum = schema.parse({
    ...fresh,
    code: 'FIVER',
    kind: 'amount',
    amount: '500',
    cap: '9',
    first_only: true,
  })
  expect(requestOf(sum, 'JPY')).toEqual({
    code: 'FIVER',
    amount: 500,
    uses_per_customer_max: 1,
    first_only: true,
  })
})

it('names the field that is wrong', () => {
  expect(faults({})).toEqual([])
  expect(faults({ code: 'å' })).toEqual(['code'])
  expect(faults({ percent: '0' })).toEqual(['percent'])
  expect(faults({ percent: '101' })).toEqual(['percent'])
  expect(faults({ kind: 'amount', amount: '' })).toEqual(['amount'])
  expect(faults({ valid_from: '2026-12-02T00:00', valid_to: '2026-12-01T00:00' })).toEqual(['valid_to'])
})

it('says what a code is good for', () => {
  const code = { code: 'X', ended: false, used: 2 } as Schemas['PromoCode']
  const now = Date.parse('2026-12-01T00:00:00Z')
  expect(stateOf(code, now)).toBe('holds')
  expect(stateOf({ ...code, uses_max: 2 }, now)).toBe('used')
  expect(stateOf({ ...code, valid_to: '2026-12-01T00:00:00Z' }, now)).toBe('over')
  expect(stateOf({ ...code, valid_from: '2026-12-01T00:00:01Z' }, now)).toBe('before')
  expect(stateOf({ ...code, ended: true, uses_max: 2 }, now)).toBe('ended')
})
