import { expect, it } from 'vitest'
import { noted } from './noted.ts'

it('one stop has another note, or none; the rest of it, and the others, stay', () => {
  const stops = [
    { lat: 57.7, lng: 11.9, address: 'Avenyn 1', note: 'dock 2' },
    { lat: 57.6, lng: 11.8, contact: { name: 'Bo' }, note: 'code 1' },
  ]
  expect(noted(stops, 1, 'code 2')).toEqual([stops[0], { ...stops[1], note: 'code 2' }])
  expect(noted(stops, 0, '')).toEqual([{ lat: 57.7, lng: 11.9, address: 'Avenyn 1' }, stops[1]])
  expect(noted([{ lat: 1, lng: 2 }], 0, 'code')).toEqual([{ lat: 1, lng: 2, note: 'code' }])
})
