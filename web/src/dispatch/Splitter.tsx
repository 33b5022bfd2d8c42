/** The border between two panes: dragged, or moved with the arrow keys; a double click puts it back. */
import { type KeyboardEvent, type PointerEvent, useState } from 'react'

const STEP_PX = 16

/** A width that this device remembers. */
export function usePaneWidth(name: string, usual: number, least: number, most: number) {
  const key = `lorry.pane.${name}`
  const [width, setWidth] = useState(() => {
    const kept = Number(localStorage.getItem(key) ?? usual)
    return kept >= least && kept <= most ? kept : usual
  })
  const set = (px: number) => {
    const next = Math.round(Math.min(most, Math.max(least, px)))
    setWidth(next)
    if (next === usual) localStorage.removeItem(key)
    else localStorage.setItem(key, String(next))
  }
  return { width, set, usual, least, most }
}

/** SIDE: where the pane is that grows, seen from the border. */
type Props = { label: string; pane: ReturnType<typeof usePaneWidth>; side: 'before' | 'after' }
export function Splitter({ label, pane, side }: Props) {
  const sign = (element: Element) =>
    (side === 'before' ? 1 : -1) * (getComputedStyle(element).direction === 'rtl' ? -1 : 1)
  function drag(event: PointerEvent<HTMLElement>) {
    event.preventDefault()
    const element = event.currentTarget
    const [from, width] = [event.clientX, pane.width]
    element.setPointerCapture(event.pointerId)
    const move = (e: globalThis.PointerEvent) => pane.set(width + sign(element) * (e.clientX - from))
    element.addEventListener('pointermove', move)
    element.addEventListener('lostpointercapture', () => element.removeEventListener('pointermove', move), {
      once: true,
    })
  }
  function press(event: KeyboardEvent<HTMLElement>) {
    const by = { ArrowRight: STEP_PX, ArrowLeft: -STEP_PX }[event.key]
    const to = { Home: pane.least, End: pane.most, Enter: pane.usual }[event.key]
    if (by === undefined && to === undefined) return
    event.preventDefault()
    pane.set(to ?? pane.width + sign(event.currentTarget) * (by ?? 0))
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a rule of text cannot be moved
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuenow={pane.width}
      aria-valuemin={pane.least}
      aria-valuemax={pane.most}
      tabIndex={0}
      className="relative z-10 -mx-3 w-6 cursor-col-resize touch-none after:absolute after:inset-y-0 after:start-1/2 after:w-px hover:after:bg-accent focus-visible:after:bg-accent max-md:hidden"
      onPointerDown={drag}
      onDoubleClick={() => pane.set(pane.usual)}
      onKeyDown={press}
    />
  )
}
