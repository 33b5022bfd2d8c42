/** docs/web-figures.md is made of sections, each measured by itself; one that is measured anew takes the place of what it was. */
import { cpus, loadavg } from 'node:os'

export type Section = { title: string; lines: string[] }

/** PAGE with SECTIONS in it; ORDER says what stands where. Pure. */
export function withSections(page: string, order: readonly string[], sections: Section[]): string {
  const kept = new Map<string, string>()
  for (const part of page.split(/^(?=## )/m).slice(1)) {
    const title = /^## (.*)$/m.exec(part)?.[1] ?? ''
    kept.set(title, part.trimEnd())
  }
  for (const { title, lines } of sections) kept.set(title, [`## ${title}`, '', ...lines].join('\n').trimEnd())
  const head = ['# Figures of the web app', '', 'Written by `make web-figures`; do not edit.']
  return `${[head.join('\n'), ...order.flatMap((title) => kept.get(title) ?? [])].join('\n\n')}\n`
}

/** On what, when, and beside what else. LOADS: before and after, of `loadavg`. */
export function circumstances(loads: [number, number]): string {
  const [before, after] = loads.map((n) => n.toFixed(1))
  return (
    `*${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ` +
    `server, city and browser on one machine without a GPU; load before ${before}, after ${after}.*`
  )
}
export const load = () => loadavg()[0] as number

export function spread(values: number[]): { median: number; p95: number; max: number; min: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return { median: at(0.5), p95: at(0.95), max: sorted.at(-1) ?? 0, min: sorted[0] ?? 0 }
}

/** How fast Y rises with X, by the median of the slopes between any two points (Theil-Sen): a few that lie off do not turn it. */
export function slope(points: { x: number; y: number }[]): number {
  const slopes: number[] = []
  for (const [i, a] of points.entries())
    for (const b of points.slice(i + 1)) if (b.x !== a.x) slopes.push((b.y - a.y) / (b.x - a.x))
  return spread(slopes).median
}
