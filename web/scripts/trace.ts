/** Reads what the browser has traced: how long the main thread was at script and at layout after each marked act. */
export type Event = {
  name: string
  cat: string
  ph: string
  ts: number // µs
  dur?: number // µs
  pid: number
  tid: number
  args?: { data?: { type?: string }; name?: string }
}
export type Act = { name: string; script_ms: number; layout_ms: number }
type Read = { acts: Act[]; tasks: number[] }

const scripts = new Set([
  'EventDispatch',
  'FunctionCall',
  'TimerFire',
  'FireAnimationFrame',
  'RunMicrotasks',
  'EvaluateScript',
  'HandlePostMessage',
  'MinorGC',
  'MajorGC',
])
const layouts = new Set(['UpdateLayoutTree', 'Layout', 'PrePaint', 'Layerize', 'Paint'])
const starts = new Set(['keydown', 'pointerdown'])
const UNTIL_US = 500_000 // what has shown nothing by then had nothing to show
const TASK_US = 1_000

/** The events of the thread on which the acts were marked. */
function mainThread(events: Event[]): Event[] {
  const mark = events.find((e) => e.name.startsWith('lorry:'))
  if (mark === undefined) throw new Error('no act in the trace')
  return events.filter((e) => e.pid === mark.pid && e.tid === mark.tid).sort((a, b) => a.ts - b.ts)
}
/** What the events NAMES took between FROM and TO; what lies inside another of SAME is not counted twice. */
function sum(events: Event[], names: Set<string>, others: Set<string>, from: number, to: number): number {
  let total = 0
  let end = from
  for (const e of events) {
    if (e.ph !== 'X' || e.dur === undefined || e.ts >= to || e.ts + e.dur <= from || !names.has(e.name))
      continue
    const begin = Math.max(e.ts, end)
    const stop = Math.min(e.ts + e.dur, to)
    if (stop <= begin) continue
    total +=
      stop -
      begin -
      sum(
        events.filter((o) => o.ts >= begin && o.ts + (o.dur ?? 0) <= stop),
        others,
        new Set(),
        begin,
        stop,
      )
    end = stop
  }
  return total
}

export function readTrace(trace: { traceEvents: Event[] }): Read {
  const events = mainThread(trace.traceEvents)
  const marks = events.filter((e) => e.name.startsWith('lorry:'))
  const acts: Act[] = []
  let tasks: number[] = []
  for (const [i, mark] of marks.entries()) {
    const until = marks[i + 1]?.ts ?? mark.ts + 4 * UNTIL_US
    const mine = events.filter((e) => e.ts >= mark.ts && e.ts < until)
    const name = mark.name.replace('lorry:', '')
    if (name === 'still') {
      tasks = mine
        .filter((e) => /RunTask$/.test(e.name) && (e.dur ?? 0) >= TASK_US)
        .map((e) => (e.dur ?? 0) / 1000)
      continue
    }
    const start = mine.find((e) => e.name === 'EventDispatch' && starts.has(e.args?.data?.type ?? ''))
    if (start === undefined) continue
    const handled = start.ts + (start.dur ?? 0)
    const shown = mine.find((e) => e.name === 'Commit' && e.ts > handled)
    const end = Math.min(shown ? shown.ts + (shown.dur ?? 0) : until, start.ts + UNTIL_US)
    acts.push({
      name,
      script_ms: sum(mine, scripts, layouts, start.ts, end) / 1000,
      layout_ms: sum(mine, layouts, new Set(), start.ts, end) / 1000,
    })
  }
  return { acts, tasks }
}

export function spread(values: number[]): { median: number; p95: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return { median: at(0.5), p95: at(0.95), max: sorted.at(-1) ?? 0 }
}
