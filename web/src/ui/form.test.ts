import { expect, it } from 'vitest'
import { ifMatch, nameOf } from './form.tsx'

it('a pointer names the field of a form', () => {
  expect(nameOf('/email')).toBe('email')
  expect(nameOf('/items/0/per_km')).toBe('items.0.per_km')
  expect(nameOf('/a~1b/~0c')).toBe('a/b.~c')
  expect(nameOf('')).toBe('')
})
it('a version is quoted', () => expect(ifMatch(3)).toEqual({ 'If-Match': '"3"' }))
