/** By it a row of a list is dragged to another place, with mouse or finger, and is there when it is let go. Keys, and whoever cannot
 * drag, have the buttons beside it. */
import { type PointerEvent, useRef } from 'react'

/** Where the row FROM of LIST would be if it were let go at Y. */
export function placeAt(list: Element, from: number, y: number): number {
  const others = [...list.children].filter((_, i) => i !== from)
  return others.filter((row) => {
    const { top, height } = row.getBoundingClientRect()
    return top + height / 2 < y
  }).length
}

type Props = {
  index: number
  /** Where it would go; null: nowhere any more. */
  onAim: (to: number | null) => void
  onDrop: (to: number) => void
}
export function Grip({ index, onAim, onDrop }: Props) {
  const drags = useRef(false)
  const to = (event: PointerEvent) => {
    const list = event.currentTarget.closest('ol')
    return list === null ? index : placeAt(list, index, event.clientY)
  }
  const end = () => {
    drags.current = false
    onAim(null)
  }
  return (
    <span
      aria-hidden
      data-grip
      className="grid min-h-touch w-7 shrink-0 cursor-grab touch-none place-items-center text-quiet select-none"
      onPointerDown={(event) => {
        if (event.button !== 0) return
        event.preventDefault()
        event.currentTarget.setPointerCapture(event.pointerId)
        drags.current = true
        onAim(index)
      }}
      onPointerMove={(event) => drags.current && onAim(to(event))}
      onPointerUp={(event) => {
        if (!drags.current) return
        end()
        onDrop(to(event))
      }}
      onPointerCancel={end}
    >
      ⠿
    </span>
  )
}
