import { expect, it } from 'vitest'
import en from './en.json'
import sv from './sv.json'

/** The keys of a language, plural forms folded together: languages differ in how many they have. */
function keys(texts: object, above = ''): string[] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === 'object'
      ? keys(value, `${above}${key}.`)
      : [`${above}${key.replace(/_(zero|one|two|few|many|other)$/, '')}`],
  )
}
const holes = (text: string) => [...text.matchAll(/{{\w+}}/g)].map(String).sort().join()
function flat(texts: object): Map<string, string> {
  const all = new Map<string, string>()
  const walk = (part: object, above: string) => {
    for (const [key, value] of Object.entries(part))
      if (typeof value === 'string') all.set(above + key, value)
      else walk(value, `${above}${key}.`)
  }
  walk(texts, '')
  return all
}

it.each([['sv', sv]])('%s says all that English says, with the same places to fill in', (_, other) => {
  expect(new Set(keys(other))).toEqual(new Set(keys(en)))
  const theirs = flat(other)
  for (const [key, text] of flat(en))
    if (theirs.has(key)) expect([key, holes(theirs.get(key) as string)]).toEqual([key, holes(text)])
})
