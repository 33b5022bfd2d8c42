/** One column of a report as bars, with the days before beside them. What it shows stands in the table, too: for whoever
 * cannot see it, it is a picture with a name. */
import { useEffect, useRef } from 'react'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { themeName, useTheme } from '@/app/theme.ts'
import { themes } from '@/design/tokens.ts'

type Props = {
  label: string
  keys: string[]
  values: (number | null)[]
  previous: (number | null)[] | null
  names: { now: string; before: string }
  show: (value: number) => string
}
const HEIGHT = 260 // px
const FONT = '12px Inter Variable, sans-serif'

export function Chart({ label, keys, values, previous, names, show }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const theme = useTheme()
  // biome-ignore lint/correctness/useExhaustiveDependencies: a theme is drawn anew
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const colours = themes[themeName()]
    const rtl = document.documentElement.dir === 'rtl'
    const bars = UPlot.paths.bars
    const series = (name: string, colour: string, place: number): UPlot.Series => ({
      label: name,
      stroke: colour,
      fill: colour,
      points: { show: false },
      value: (_, value) => (value == null ? '–' : show(value)),
      ...(bars && {
        paths: bars({ size: [previous ? 0.35 : 0.7, 48], align: previous ? (place as 1 | -1) : 0 }),
      }),
    })
    const axis = {
      stroke: colours.quiet,
      font: FONT,
      grid: { stroke: colours.line, width: 1 },
      ticks: { show: false },
    }
    const plot = new UPlot(
      {
        width: Math.max(240, element.clientWidth),
        height: HEIGHT,
        scales: { x: { time: false, dir: rtl ? -1 : 1, range: [-0.5, Math.max(0, keys.length - 1) + 0.5] } },
        legend: { show: false }, // it is a table; the real one is below
        cursor: { y: false, drag: { x: false, y: false } },
        series: [
          { label: '', value: (_, value) => (value == null ? '–' : (keys[value] ?? '')) },
          series(names.now, colours.accent, previous ? 1 : 0),
          ...(previous ? [series(names.before, colours.quiet, -1)] : []),
        ],
        axes: [
          {
            ...axis,
            values: (_, splits) => splits.map((at) => (Number.isInteger(at) ? (keys[at] ?? '') : '')),
          },
          { ...axis, side: rtl ? 1 : 3, size: 72, values: (_, splits) => splits.map(show) },
        ],
      },
      [keys.map((_, at) => at), values, ...(previous ? [previous] : [])],
      element,
    )
    const watcher = new ResizeObserver(() =>
      plot.setSize({ width: Math.max(240, element.clientWidth), height: HEIGHT }),
    )
    watcher.observe(element)
    return () => {
      watcher.disconnect()
      plot.destroy()
    }
  }, [keys, values, previous, names, show, theme])
  return (
    <>
      {previous && (
        <p className="flex gap-4 text-sm" aria-hidden>
          <span>
            <span className="text-accent">■</span> {names.now}
          </span>
          <span>
            <span className="text-quiet">■</span> {names.before}
          </span>
        </p>
      )}
      <div ref={box} role="img" aria-label={label} className="min-w-0 overflow-x-clip" />
    </>
  )
}
