import { expect, it } from 'vitest'
import type { Schemas } from '@/api/client.ts'
import { draftOf, emptyStop, movedStop, peopleOf } from './draft.ts'

it('moves a stop and keeps the others in order', () => {
  const stops = ['a', 'b', 'c'].map((address) => ({ ...emptyStop(), address }))
  const names = (list: typeof stops) => list.map((s) => s.address).join('')
  expect(names(movedStop(stops, 0, 2))).toBe('bca')
  expect(names(movedStop(stops, 2, 0))).toBe('cab')
  expect(names(movedStop(stops, 5, 0))).toBe('abc')
})

it('the same trip once more has what is to be known at its stops, and sends it', () => {
  const stop = { lat: 57.7, lng: 11.9, address: 'Avenyn 1', contact: { name: 'Bo' } }
  const draft = draftOf({
    stops: [
      { ...stop, note: 'dock 2' },
      { ...stop, note: null },
    ],
    notes: null,
  } as Schemas['Booking'])
  expect(draft.stops.map((s) => s.note)).toEqual(['dock 2', ''])
  expect(draft.stops.map(peopleOf)).toEqual([
    { contact: { name: 'Bo' }, note: 'dock 2' },
    { contact: { name: 'Bo' } },
  ])
})

it('the same trip once more does not bring the goods back', () => {
  const stop = { lat: 57.7, lng: 11.9, address: 'Avenyn 1', note: null }
  const draft = draftOf({
    stops: [
      { ...stop, kind: 'pickup' },
      { ...stop, kind: 'dropoff', address: 'Haga 2' },
      { ...stop, kind: 'return' },
    ],
    notes: null,
  } as Schemas['Booking'])
  expect(draft.stops.map((s) => s.address)).toEqual(['Avenyn 1', 'Haga 2'])
})
