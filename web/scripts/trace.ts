/** Reads what the browser has traced: how long the main thread was at script and at layout after each marked act, and how much
 * it did for each frame. */
export type Event = {
  name: string
  cat: string
  ph: string
  ts: number // µs
  dur?: number // µs
  tdur?: number // µs of the processor; less than `dur` where the thread waited, or another had the processor
  pid: number
  tid: number
  args?: { data?: { type?: string }; name?: string }
}
/** By the clock, in which the thread may have waited for its turn; `cpu_ms`: all that it did meanwhile, drawing and messages too. */
export type Act = { name: string; script_ms: number; layout_ms: number; cpu_ms: number }
/** One for each picture that was drawn: the processor's time of the task that draws it, that of all other tasks until the next
 * picture, and how long until that came. */
export type Frame = { picture_ms: number; beside_ms: number; span_ms: number }
const SCREEN_MS = 1000 / 60
/** What the main thread does for one frame of a screen that shows 60 a second: a picture, and what is to be done beside it in that
 * time. Where nothing but the processor draws, pictures come seldom, and all that comes in between is not of one frame. */
export const frameMs = (f: Frame) => f.picture_ms + f.beside_ms * Math.min(1, SCREEN_MS / f.span_ms)
type Read = { acts: Act[]; frames: Record<string, Frame[]> }

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
const SPAN = 'span ' // before the name of an act that lasts, whose frames are counted

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

/** The tasks, without those that lie in another (two layers of the browser write down the same one). */
function tasksOf(events: Event[]): Event[] {
  const found: Event[] = []
  let end = 0
  for (const e of events) {
    if (e.ph !== 'X' || e.dur === undefined || !/RunTask$/.test(e.name) || e.ts < end) continue
    found.push(e)
    end = e.ts + e.dur
  }
  return found
}
/** A frame begins with the task in which the page is asked to draw. What comes before the first one and after the last is of
 * no whole frame. */
export function framesOf(events: Event[]): Frame[] {
  const asked = events.filter((e) => e.name === 'FireAnimationFrame').map((e) => e.ts)
  const frames: Frame[] = []
  let now: (Frame & { start: number }) | undefined
  let next = 0
  for (const task of tasksOf(events)) {
    const cpu_ms = (task.tdur ?? task.dur ?? 0) / 1000
    while ((asked[next] ?? Number.POSITIVE_INFINITY) < task.ts) next++
    if ((asked[next] ?? Number.POSITIVE_INFINITY) >= task.ts + (task.dur ?? 0)) {
      if (now !== undefined) now.beside_ms += cpu_ms
      continue
    }
    if (now !== undefined) {
      const { start, ...frame } = now
      frames.push({ ...frame, span_ms: (task.ts - start) / 1000 })
    }
    now = { start: task.ts, picture_ms: cpu_ms, beside_ms: 0, span_ms: 0 }
  }
  return frames
}

/** From the touch or key until the picture that shows what it did has been handed over. */
function actOf(name: string, mine: Event[], until: number): Act | undefined {
  const start = mine.find((e) => e.name === 'EventDispatch' && starts.has(e.args?.data?.type ?? ''))
  if (start === undefined) return undefined
  const handled = start.ts + (start.dur ?? 0)
  const shown = mine.find((e) => e.name === 'Commit' && e.ts > handled)
  const end = Math.min(shown ? shown.ts + (shown.dur ?? 0) : until, start.ts + UNTIL_US)
  return {
    name,
    script_ms: sum(mine, scripts, layouts, start.ts, end) / 1000,
    layout_ms: sum(mine, layouts, new Set(), start.ts, end) / 1000,
    cpu_ms: cpuOf(mine, start.ts, end),
  }
}
/** Of the tasks between FROM and TO, of those that begin before or end after it the share that lies inside. */
function cpuOf(events: Event[], from: number, to: number): number {
  let total = 0
  for (const task of tasksOf(events)) {
    const dur = task.dur ?? 0
    const inside = Math.min(to, task.ts + dur) - Math.max(from, task.ts)
    if (inside > 0) total += (inside / dur) * (task.tdur ?? dur)
  }
  return total / 1000
}

export function readTrace(trace: { traceEvents: Event[] }): Read {
  const events = mainThread(trace.traceEvents)
  const marks = events.filter((e) => e.name.startsWith('lorry:'))
  const read: Read = { acts: [], frames: {} }
  for (const [i, mark] of marks.entries()) {
    const until = marks[i + 1]?.ts ?? mark.ts + 4 * UNTIL_US
    const mine = events.filter((e) => e.ts >= mark.ts && e.ts < until)
    const name = mark.name.replace('lorry:', '')
    if (name.startsWith(SPAN)) {
      const span = name.slice(SPAN.length)
      read.frames[span] = [...(read.frames[span] ?? []), ...framesOf(mine)]
      continue
    }
    const act = actOf(name, mine, until)
    if (act !== undefined) read.acts.push(act)
  }
  return read
}
