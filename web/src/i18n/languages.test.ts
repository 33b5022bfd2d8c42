import i18next from 'i18next'
import { describe, expect, it } from 'vitest'
import ar from './ar.json'
import en from './en.json'
import { latinDigits } from './format.ts'
import hi from './hi.json'
import { languages, setLanguage, startLanguage } from './index.ts'
import { loadWords } from './parts.ts'
import sv from './sv.json'

const parts = import.meta.glob<object>('./*/*.json', { eager: true, import: 'default' })
/** The words that come with every page, and those of all parts. */
function whole(language: string, first: object): object {
  const own = Object.entries(parts).filter(([file]) => file.endsWith(`/${language}.json`))
  return Object.assign({}, first, ...own.map(([, words]) => words))
}
const all = { en: whole('en', en), sv: whole('sv', sv), hi: whole('hi', hi), ar: whole('ar', ar) }
const others = Object.keys(all).filter((l) => l !== 'en') as ('sv' | 'hi' | 'ar')[]

/** Each text by its key, the levels joined with dots. */
function flat(texts: object, above = ''): [string, string][] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === 'string' ? [[above + key, value] as [string, string]] : flat(value, `${above}${key}.`),
  )
}
/** The texts of a language with the plural forms of one under one key: languages differ in how many they have. */
function folded(texts: object): Map<string, Map<string, string>> {
  const kept = new Map<string, Map<string, string>>()
  for (const [key, text] of flat(texts)) {
    const [, name = key, form = ''] = /^(.*)_(zero|one|two|few|many|other)$/.exec(key) ?? []
    kept.set(name, (kept.get(name) ?? new Map()).set(form, text))
  }
  return kept
}
const holes = (text: string) => [...text.matchAll(/{{\w+}}/g)].map(String).sort()

/** The plural forms that stand for one number only, so that a word may say it ("two stops" in Arabic is one word). */
function sayingThemselves(language: string): string[] {
  const rules = new Intl.PluralRules(language)
  const forms = [...Array(200).keys()].map((n) => rules.select(n))
  return forms.filter((form) => forms.indexOf(form) === forms.lastIndexOf(form))
}

it('every language that can be chosen is checked here', () => {
  expect(Object.keys(all).sort()).toEqual(Object.keys(languages).sort())
})

it('no part says anew what another one says', () => {
  const words = [
    en,
    ...Object.keys(parts).flatMap((f) => (f.endsWith('/en.json') ? [parts[f] as object] : [])),
  ]
  const sections = words.flatMap(Object.keys)
  expect(sections.filter((s, i) => sections.indexOf(s) !== i)).toEqual([])
})

it('the words of a part come when they are asked for, and with each language after that', async () => {
  await startLanguage()
  expect(i18next.exists('admin.title')).toBe(false)
  await loadWords('admin')
  expect(i18next.t('admin.title')).toBe('Administration')
  await setLanguage('ar')
  expect(i18next.t('admin.title')).toBe('الإدارة')
  await setLanguage('en')
})

describe.each(others)('%s', (language) => {
  const theirs = folded(all[language])
  it('says all that English says, and nothing else', () => {
    expect([...theirs.keys()].sort()).toEqual([...folded(all.en).keys()].sort())
    expect(flat(all[language]).filter(([, text]) => text.trim() === '')).toEqual([])
  })
  it('has the same places to fill in', () => {
    const words = sayingThemselves(language)
    for (const [name, forms] of folded(all.en)) {
      const wanted = holes(forms.get('other') ?? (forms.get('') as string))
      for (const [form, text] of theirs.get(name) ?? []) {
        const may = words.includes(form) ? wanted.filter((h) => h !== '{{count}}') : wanted
        expect([wanted, may], `${name} ${form}: ${text}`).toContainEqual(holes(text))
      }
    }
  })
  it('has each plural form its grammar names, and no other', () => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories
    for (const [name, english] of folded(all.en))
      if (english.has('other'))
        expect([...(theirs.get(name)?.keys() ?? [])].sort(), name).toEqual([...forms].sort())
  })
})

it('what is filled in keeps its own direction among letters from the right', async () => {
  await startLanguage()
  await setLanguage('ar')
  expect(document.documentElement.dir).toBe('rtl')
  expect(i18next.t('cancel.title', { code: 'LX-12' })).toContain('\u2068LX-12\u2069')
  expect([2, 3, 11, 100].map((count) => i18next.t('drive.offer.stops', { count }))).toEqual([
    'محطتان',
    '3 محطات',
    '11 محطة',
    '100 محطة',
  ])
  await setLanguage('en')
  expect(document.documentElement.dir).toBe('ltr')
  expect(i18next.t('cancel.title', { code: 'LX-12' })).toBe('Cancel booking LX-12?')
})

it('digits that were typed in another script are understood', () => {
  expect(latinDigits('+٤٦٧٠١٢٣٤٥٦٧')).toBe('+46701234567')
  expect(latinDigits('۸۰۹ ०१९ abc')).toBe('809 019 abc')
})
