/** The languages. English comes with the page, the others when they are asked for. */
import i18next, { type FormatterModule } from 'i18next'
import { initReactI18next } from 'react-i18next'
import en from './en.json'
import { number } from './format.ts'

export const languages = { en: 'English', sv: 'Svenska', hi: 'हिन्दी', ar: 'العربية' } as const
export type Language = keyof typeof languages
const rightToLeft: readonly string[] = ['ar'] satisfies Language[]
const KEY = 'lorry.language'

const others: Record<Exclude<Language, 'en'>, () => Promise<{ default: unknown }>> = {
  sv: () => import('./sv.json'),
  hi: () => import('./hi.json'),
  ar: () => import('./ar.json'),
}

/** Has the words of parts (./parts.ts) in a language before it is chosen; null until some page wants a part. */
let addParts: ((language: string) => Promise<void>) | null = null
export function beforeLanguage(add: (language: string) => Promise<void>): void {
  addParts = add
}

function isLanguage(text: string | null | undefined): text is Language {
  return text != null && text in languages
}
export function preferredLanguage(): Language {
  const chosen = localStorage.getItem(KEY)
  if (isLanguage(chosen)) return chosen
  const known = navigator.languages.map((l) => l.split('-')[0]).find(isLanguage)
  return known ?? 'en'
}

/** What fills a place in a text. Among letters that run from the right, a name, plate or price keeps the direction of its
 * own letters (Unicode's first-strong isolate). */
export const filling: FormatterModule = {
  type: 'formatter',
  init: () => undefined,
  add: () => undefined,
  addCached: () => undefined,
  format: (value, _format, language) => {
    if (typeof value === 'number') return number(value)
    const isolated = typeof value === 'string' && rightToLeft.includes(language ?? '')
    return isolated ? `\u2068${value}\u2069` : value
  },
}

export async function setLanguage(language: Language, remember = true): Promise<void> {
  if (language !== 'en' && !i18next.hasResourceBundle(language, 'translation'))
    i18next.addResourceBundle(language, 'translation', (await others[language]()).default)
  await addParts?.(language)
  if (remember) localStorage.setItem(KEY, language)
  await i18next.changeLanguage(language)
  document.documentElement.lang = language
  document.documentElement.dir = rightToLeft.includes(language) ? 'rtl' : 'ltr'
}

export async function startLanguage(): Promise<void> {
  await i18next
    .use(initReactI18next)
    .use(filling)
    .init({
      lng: 'en',
      fallbackLng: 'en',
      resources: { en: { translation: en } },
      interpolation: { escapeValue: false, alwaysFormat: true }, // React escapes
      returnNull: false,
    })
  await setLanguage(preferredLanguage(), false)
}
