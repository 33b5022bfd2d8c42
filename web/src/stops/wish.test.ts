import { describe, expect, it } from 'vitest'
import type { Schemas } from '@/api/client.ts'
import { fixedOf, isSame, isWhole, newWish, sentStops, wishesOf } from './wish.ts'

const stop = (index: number, state: Schemas['Stop']['state']) =>
  ({
    index,
    state,
    kind: index === 0 ? 'pickup' : 'dropoff',
    lat: 57,
    lng: 11 + index,
    address: null,
  }) as Schemas['Stop']

describe('what cannot be changed', () => {
  it('is the pickup, even before it was made', () =>
    expect(fixedOf([stop(0, 'pending'), stop(1, 'pending')])).toBe(1))
  it('is what is over, and where the driver stands', () =>
    expect(fixedOf([stop(0, 'done'), stop(1, 'failed'), stop(2, 'arrived'), stop(3, 'pending')])).toBe(3))
  it('is all of it when there is nothing left to go to', () =>
    expect(fixedOf([stop(0, 'done'), stop(1, 'arrived')])).toBe(2))
})

describe('what is sent', () => {
  const stops = [stop(0, 'done'), stop(1, 'pending'), stop(2, 'pending')]
  it('names what is kept by its number, and a new one by its place', () => {
    const [first, second, third] = wishesOf(stops)
    if (!first || !second || !third) throw new Error('three stops')
    const fresh = { ...newWish(), lat: 57.7, lng: 11.9, address: 'Avenyn 1' }
    expect(sentStops([first, third, fresh, second])).toEqual([
      { index: 0 },
      { index: 2 },
      { lat: 57.7, lng: 11.9, address: 'Avenyn 1' },
      { index: 1 },
    ])
    expect([isWhole(fresh), isWhole(newWish()), isWhole(first)]).toEqual([true, false, true])
  })
  it('has what is to be known at a new stop, if anything is', () => {
    const fresh = { ...newWish(), lat: 57.7, lng: 11.9, note: ' code 7\n' }
    expect(sentStops([fresh, { ...fresh, note: ' ' }])).toEqual([
      { lat: 57.7, lng: 11.9, note: 'code 7' },
      { lat: 57.7, lng: 11.9 },
    ])
  })
  it('is nothing where all is as it is', () => {
    const wishes = wishesOf(stops)
    expect(isSame(wishes, stops)).toBe(true)
    expect(isSame([...wishes].reverse(), stops)).toBe(false)
    expect(isSame(wishes.slice(1), stops)).toBe(false)
  })
})
