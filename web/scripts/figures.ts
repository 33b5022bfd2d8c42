/** Measures the app as it was built, against a real server, and writes docs/web-figures.md: how much script each face loads,
 * what Lighthouse says of a customer's pages and of public tracking, what the console's main thread does while a city moves on
 * its map, and whether its memory stays what it is.
 * Usage: BUILD_FOLDER=... node scripts/figures.ts LIGHTHOUSE        LIGHTHOUSE: the folder that npm has put it in
 * ONLY=sizes,lighthouse,console,soak measures a part, and leaves the rest of the page as it is. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { WEB } from '../e2e/lorry.ts'
import { consoleLines } from './console.ts'
import { lighthouseLines } from './lighthouse.ts'
import { circumstances, load, type Section, withSections } from './sections.ts'
import { BUDGET_KB, sizes } from './sizes.ts'
import { soakLines } from './soak.ts'

const root = resolve(import.meta.dirname, '../..')
const SOAK_MINUTES = Number(process.env.SOAK_MINUTES ?? 30)

async function sizeLines(): Promise<string[]> {
  const found = await sizes(WEB)
  return [
    `Compressed with gzip, in kB (1,000 bytes). Booking, tracking and driving may take ${BUDGET_KB}; the browser tests fail above`,
    'that (`npm run sizes`). "Later" is what a page fetches after it can be used: the map above all.',
    '',
    '| Face | First load | Files | Later |',
    '| --- | ---: | ---: | ---: |',
    ...found.map((s) => `| ${s.face} | ${s.first_kb.toFixed(1)} | ${s.files} | ${s.later_kb.toFixed(1)} |`),
    '',
  ]
}

const parts: Record<string, { title: string; measure: () => Promise<string[]> }> = {
  sizes: { title: 'Script of a first load', measure: sizeLines },
  lighthouse: {
    title: 'Lighthouse, mobile profile',
    measure: () => lighthouseLines(process.argv[2] ?? '.tools/lighthouse'),
  },
  console: { title: 'The console while a city moves', measure: consoleLines },
  soak: { title: 'The console’s memory', measure: () => soakLines(SOAK_MINUTES) },
}

const wanted = process.env.ONLY?.split(',') ?? Object.keys(parts)
const sections: Section[] = []
for (const name of wanted) {
  const part = parts[name]
  if (part === undefined) throw new Error(`ONLY may name ${Object.keys(parts).join(', ')}, not ${name}`)
  const before = load()
  const lines = await part.measure()
  sections.push({ title: part.title, lines: [circumstances([before, load()]), '', ...lines] })
}
const out = process.env.OUT ?? join(root, 'docs/web-figures.md')
const old = existsSync(out) ? readFileSync(out, 'utf8') : ''
writeFileSync(
  out,
  withSections(
    old,
    Object.values(parts).map((p) => p.title),
    sections,
  ),
)
