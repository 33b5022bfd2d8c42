/** Are the tests there that docs/ux.md names? Each point of its table names tests as `file: title`, or says that there is none.
 * Usage: node scripts/ux.ts */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const POINTS = 43
const web = resolve(import.meta.dirname, '..')
const lines = readFileSync(join(web, '../docs/ux.md'), 'utf8').split('\n')
const rows = lines
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))

/** The titles of the tests in FILE, as they are written. */
function titles(file: string): string[] {
  const path = [join(web, 'e2e', file), join(web, 'src', file)].find(existsSync)
  if (path === undefined) return []
  return [...readFileSync(path, 'utf8').matchAll(/\b(?:test|it|own)\(\s*'([^']+)'/g)].map((m) => String(m[1]))
}

const faults: string[] = []
const numbers = rows.map((cells) => Number(cells[1]))
for (let n = 1; n <= POINTS; n++)
  if (numbers.filter((found) => found === n).length !== 1) faults.push(`point ${n} is not there once`)
for (const cells of rows) {
  const [, number, , tests = ''] = cells
  const named = [...tests.matchAll(/`([^`]+?): ([^`]+)`/g)]
  if (named.length === 0 && !tests.startsWith('no test yet')) faults.push(`point ${number} names no test`)
}
for (const line of lines.filter((l) => l.startsWith('|')))
  for (const [, file = '', title = ''] of line.matchAll(/`(\S+\.ts): ([^`]+)`/g))
    if (!titles(file).includes(title)) faults.push(`${file} has no test "${title}"`)
for (const fault of faults) console.error(`docs/ux.md: ${fault}`)
process.exit(faults.length === 0 ? 0 : 1)
