import { expect, it } from 'vitest'
import { waited } from './waiting.ts'

const terms = { free_minutes: 10, per_minute: 400, stop: 0, since: '2026-11-29T10:00:00Z' }
const at = (s: number) => Date.parse(terms.since) + s * 1000

it('counts minutes begun, and those beyond the free ones cost', () => {
  expect(waited(terms, at(0))).toBeNull()
  expect(waited(terms, at(1))).toEqual({ minutes: 1, freeMinutes: 9, paid: 0, amount: 0 })
  expect(waited(terms, at(600))).toEqual({ minutes: 10, freeMinutes: 0, paid: 0, amount: 0 })
  expect(waited(terms, at(12 * 60 + 1))).toEqual({ minutes: 13, freeMinutes: 0, paid: 3, amount: 1200 })
})
it('says nothing while nobody waits', () => {
  expect(waited({ free_minutes: 10, per_minute: 400 }, at(60))).toBeNull()
  expect(waited(undefined, at(60))).toBeNull()
})
