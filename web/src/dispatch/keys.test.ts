import { expect, it } from 'vitest'
import { shortcutOf } from './keys.ts'

const press = (key: string, code: string, shiftKey = false) => shortcutOf({ key, code, shiftKey })

it('shortcuts work on keyboards that write other letters', () => {
  expect(press('ت', 'KeyJ')).toBe('j')
  expect(press('क', 'KeyK')).toBe('k')
  expect(press('ظ', 'Slash')).toBe('/')
  expect(press('؟', 'Slash', true)).toBe('?')
  expect(press('ب', 'KeyF')).toBe('ب')
})
it('where the letters are Latin, the letter counts and not its place', () => {
  expect(press('j', 'KeyC')).toBe('j') // Dvorak
  expect(press('h', 'KeyJ')).toBe('h')
  expect(press('Escape', 'Escape')).toBe('Escape')
})
