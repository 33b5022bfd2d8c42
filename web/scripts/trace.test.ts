import { expect, it } from 'vitest'
import { type Event, frameMs, framesOf, readTrace } from './trace.ts'

const event = (name: string, ts: number, dur?: number, more: Partial<Event> = {}): Event => ({
  name,
  cat: '',
  ph: dur === undefined ? 'I' : 'X',
  ts,
  ...(dur !== undefined && { dur }),
  pid: 1,
  tid: 1,
  ...more,
})

it('counts what is done from one frame until the next, each task once', () => {
  const frames = framesOf([
    event('RunTask', 0, 5000), // before the first frame
    event('ThreadControllerImpl::RunTask', 10_000, 4000, { tdur: 3000 }),
    event('RunTask', 10_000, 3900), // the same task, written down by another layer
    event('FireAnimationFrame', 10_100, 2000),
    event('RunTask', 20_000, 1000, { tdur: 1000 }), // a message in between
    event('RunTask', 30_000, 2000),
    event('FireAnimationFrame', 30_500, 100),
  ])
  expect(frames).toEqual([{ picture_ms: 3, beside_ms: 1, span_ms: 20 }])
  expect(frameMs({ picture_ms: 3, beside_ms: 20, span_ms: 1000 / 30 })).toBeCloseTo(13)
})

it('takes an act from its key until the picture that shows it', () => {
  const { acts, frames } = readTrace({
    traceEvents: [
      event('lorry:Key', 0),
      event('FunctionCall', 50, 40), // before the key
      event('RunTask', 900, 2200, { tdur: 1100 }),
      event('EventDispatch', 1000, 2000, { args: { data: { type: 'keydown' } } }),
      event('FunctionCall', 1100, 500), // inside: not counted twice
      event('Layout', 4000, 3000),
      event('Commit', 8000, 100),
      event('FunctionCall', 9000, 7000), // after it was shown
      event('lorry:span still', 600_000),
    ],
  })
  expect(acts).toEqual([{ name: 'Key', script_ms: 2, layout_ms: 3, cpu_ms: 1.05 }])
  expect(frames).toEqual({ still: [] })
})
