import { describe, expect, it } from 'vitest'
import { draftOf, homeOf, metresOf } from './home.ts'

describe('a home zone as it is typed', () => {
  const home = { name: 'Centrum', lat: 57.7, lng: 11.97, radius_m: 2500, only: true }
  it('comes back as it was', () => {
    expect(homeOf(draftOf(home))).toEqual(home)
    expect(homeOf(draftOf(null))).toBeNull()
  })
  it('is not whole without its place or a radius', () => {
    expect(homeOf({ ...draftOf(home), lat: null })).toBeUndefined()
    expect(homeOf({ ...draftOf(home), km: '0' })).toBeUndefined()
    expect(homeOf({ ...draftOf(home), on: false, km: '0' })).toBeNull()
  })
  it('takes a radius as people write it, within what there may be', () => {
    expect(['5', '2,5', '٢٫٥', '0.1', '200'].map(metresOf)).toEqual([5000, 2500, 2500, 100, 200_000])
    expect(['', '0.09', '200.1', '-1', '1e3', '2.5 km'].map(metresOf)).toEqual(Array(6).fill(null))
  })
})
