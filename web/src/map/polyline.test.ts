import { expect, it } from 'vitest'
import { decodePolyline } from './polyline.ts'

it('reads the example of the format', () => {
  expect(decodePolyline('_p~iF~ps|U_ulLnnqC_mqNvxq`@', 5)).toEqual([
    [-120.2, 38.5],
    [-120.95, 40.7],
    [-126.453, 43.252],
  ])
})
it('ends at the end of what was cut off', () => {
  expect(decodePolyline('_p~iF').length).toBe(1)
})
