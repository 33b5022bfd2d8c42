/** The languages. English comes with the page, the others when they are asked for. */
import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import en from './en.json'

export const languages = { en: 'English', sv: 'Svenska' } as const
export type Language = keyof typeof languages
const rightToLeft: string[] = ['ar']
const KEY = 'lorry.language'

const others: Record<Exclude<Language, 'en'>, () => Promise<{ default: unknown }>> = {
  sv: () => import('./sv.json'),
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

export async function setLanguage(language: Language, remember = true): Promise<void> {
  if (language !== 'en' && !i18next.hasResourceBundle(language, 'translation'))
    i18next.addResourceBundle(language, 'translation', (await others[language]()).default)
  if (remember) localStorage.setItem(KEY, language)
  await i18next.changeLanguage(language)
  document.documentElement.lang = language
  document.documentElement.dir = rightToLeft.includes(language) ? 'rtl' : 'ltr'
}

export async function startLanguage(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    resources: { en: { translation: en } },
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  })
  await setLanguage(preferredLanguage(), false)
}
