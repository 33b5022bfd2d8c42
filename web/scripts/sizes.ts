/** How much script each face loads before it can be used: its own chunk and all that it imports, compressed by gzip. The map
 * and what else is imported later is counted beside it. Ends with 1 when booking, tracking or driving is over its budget.
 * Usage: BUILD_FOLDER=... node scripts/sizes.ts */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { init, parse } from 'es-module-lexer'

export const BUDGET_KB = 180
const faces = {
  Book: 'BookFace',
  Track: 'TrackPage',
  Drive: 'DriveFace',
  Dispatch: 'DispatchFace',
  Admin: 'AdminFace',
  Docs: 'DocsPage',
}
const limited: readonly string[] = ['Book', 'Track', 'Drive']
export type Size = { face: string; files: number; first_kb: number; later_kb: number; within: boolean }

type Chunk = { bytes: number; now: string[]; later: string[] }
const fileOf = (specifier: string | undefined) => /([^/]+\.m?js)$/.exec(specifier ?? '')?.[1]

function chunksOf(folder: string): Map<string, Chunk> {
  const chunks = new Map<string, Chunk>()
  for (const name of readdirSync(folder)) {
    if (!/\.m?js$/.test(name)) continue
    const text = readFileSync(join(folder, name))
    const chunk: Chunk = { bytes: gzipSync(text, { level: 9 }).length, now: [], later: [] }
    for (const found of parse(text.toString())[0]) {
      const file = fileOf(found.n)
      if (file !== undefined) (found.d === -1 ? chunk.now : chunk.later).push(file)
    }
    chunks.set(name, chunk)
  }
  return chunks
}
/** What is loaded with FROM; with LATER also what it imports when it runs. */
function loaded(chunks: Map<string, Chunk>, from: string[], later: boolean): Set<string> {
  const found = new Set<string>()
  const open = [...from]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const chunk = chunks.get(name)
    if (chunk === undefined || found.has(name)) continue
    found.add(name)
    open.push(...chunk.now, ...(later ? chunk.later : []))
  }
  return found
}

export async function sizes(web: string): Promise<Size[]> {
  await init
  const chunks = chunksOf(join(web, 'assets'))
  const entry = /src="\/assets\/([^"]+\.js)"/.exec(readFileSync(join(web, 'index.html'), 'utf8'))?.[1]
  if (entry === undefined) throw new Error('index.html names no script')
  const kb = (names: Iterable<string>) =>
    [...names].reduce((sum, name) => sum + (chunks.get(name)?.bytes ?? 0), 0) / 1000
  const shared = loaded(chunks, [entry], false)
  return Object.entries(faces).map(([face, chunk]) => {
    const own = [...chunks.keys()].filter((name) => name.startsWith(`${chunk}-`))
    if (own.length !== 1) throw new Error(`${own.length} chunks are called ${chunk}`)
    const first = new Set([...shared, ...loaded(chunks, own, false)])
    const later = [...loaded(chunks, own, true)].filter((name) => !first.has(name))
    // The entry imports every face when it is asked for: from there nothing is followed.
    const mine = later.filter((name) => name !== entry && reached(chunks, own, name, shared))
    const first_kb = kb(first)
    const within = !limited.includes(face) || first_kb <= BUDGET_KB
    return { face, files: first.size, first_kb, later_kb: kb(mine), within }
  })
}
/** Is NAME reached from OWN without going through what every face shares? */
function reached(chunks: Map<string, Chunk>, own: string[], name: string, shared: Set<string>): boolean {
  const without = new Map([...chunks].filter(([other]) => !shared.has(other)))
  return loaded(without, own, true).has(name)
}

if (import.meta.main) {
  const found = await sizes(join(process.env.BUILD_FOLDER ?? '../build', 'web'))
  for (const s of found) {
    const word = s.within ? '' : `  over the budget of ${BUDGET_KB} kB`
    console.log(
      `${s.face.padEnd(9)} ${s.first_kb.toFixed(1).padStart(6)} kB first, ${s.later_kb.toFixed(1).padStart(6)} kB later${word}`,
    )
  }
  process.exit(found.every((s) => s.within) ? 0 : 1)
}
