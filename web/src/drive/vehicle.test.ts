import { describe, expect, it } from 'vitest'
import type { Schemas } from '@/api/client.ts'
import { draftOf, ofClass, vehicleOf } from './vehicle.ts'

const van = {
  id: 'veh_1',
  class: 'van',
  plate: 'ABC123',
  capacity_kg: 700,
  capacity_l: 9000,
  capacity_items: 12,
  in_use: true,
} as Schemas['OwnVehicle']

describe('what is sent of a vehicle', () => {
  it('is what was typed; of a new one the rest is the usual of its class', () => {
    expect(vehicleOf({ class: 'bike', plate: ' B 7 ', kg: '' })).toEqual({ class: 'bike', plate: 'B 7' })
    expect(vehicleOf({ ...draftOf(), plate: 'C', kg: '45' })).toEqual({
      class: 'van',
      plate: 'C',
      capacity_kg: 45,
    })
  })
  it('keeps what it carries when only its plate changes', () =>
    expect(vehicleOf({ ...draftOf(van), plate: 'NEW1' }, van)).toEqual({
      class: 'van',
      plate: 'NEW1',
      capacity_kg: 700,
      capacity_l: 9000,
      capacity_items: 12,
    }))
  it('has the usual of another class, unless its load was typed', () => {
    const car = ofClass(draftOf(van), 'car', van)
    expect(vehicleOf(car, van)).toEqual({ class: 'car', plate: 'ABC123' })
    expect(ofClass(car, 'van', van)).toEqual(draftOf(van)) // back again
    expect(ofClass({ ...draftOf(van), kg: '650' }, 'car', van).kg).toBe('650')
  })
})
