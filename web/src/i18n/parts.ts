/** Words of pages that few people open, a folder for each part (`admin/en.json`): they come with the page, not with the app. */
import i18next from 'i18next'
import { beforeLanguage } from './index.ts'

const parts = import.meta.glob<{ default: object }>('./*/*.json')
const wanted = new Set<string>()

async function addParts(language: string): Promise<void> {
  const add = async (part: string) => {
    const load = parts[`./${part}/${language}.json`]
    if (load === undefined) throw new Error(`There are no words of "${part}" in "${language}"`)
    i18next.addResourceBundle(language, 'translation', (await load()).default, true)
  }
  await Promise.all([...wanted].map(add))
}

/** Has the words of PARTS before a page is shown that says them; in any language that is chosen later, too. */
export async function loadWords(...names: string[]): Promise<void> {
  beforeLanguage(addParts)
  for (const name of names) wanted.add(name)
  // The first page may ask before there is any language.
  if (!i18next.isInitialized) await new Promise((start) => i18next.on('initialized', start))
  for (let language = ''; language !== i18next.language; ) {
    language = i18next.language
    await addParts(language)
  }
}
