import { expect, it } from 'vitest'
import { isAt, type SavedPlace, savedFor } from './saved.ts'

const place = (label: string, address: string): SavedPlace => ({
  id: `plc_${label}`,
  label,
  address,
  lat: 57.7,
  lng: 11.97,
  created_at: '2026-11-29T12:00:00Z',
})
const saved = [place('Home', 'Kungsgatan 1'), place('Älvdepån', 'Hamnen 4'), place('Shop', 'Homerstigen 2')]

it('offers all while nothing is typed', () => {
  expect(savedFor('', saved)).toEqual(saved)
})
it('finds by what it is called and by its address, whatever the case', () => {
  expect(savedFor('HOME', saved).map((p) => p.label)).toEqual(['Home', 'Shop'])
  expect(savedFor('älv', saved).map((p) => p.label)).toEqual(['Älvdepån'])
  expect(savedFor('nowhere', saved)).toEqual([])
})
it('offers a few, so that what the map finds has room', () => {
  expect(savedFor('s', Array(9).fill(place('Shop', 'x')))).toHaveLength(4)
})
it('a metre away is the same place, a street away is not', () => {
  expect(isAt({ lat: 57.7, lng: 11.97 }, { lat: 57.700005, lng: 11.97 })).toBe(true)
  expect(isAt({ lat: 57.7, lng: 11.97 }, { lat: 57.7005, lng: 11.97 })).toBe(false)
})
