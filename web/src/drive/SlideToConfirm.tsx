/** A yes that nobody gives by accident: slid to the end, held, or pressed twice (by finger, mouse or keyboard) with a
 * pause between. A double click is one press. */
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { cx } from '@/ui/index.tsx'

const ENOUGH = 0.85 // of the way
const HOLD_MS = 900
const PAUSE_MS = 400 // a second press that comes sooner is part of the first
const ARMED_MS = 4_000
const SLOP_PX = 8

type Props = { label: string; busy: boolean; onConfirm: () => void }
export function SlideToConfirm({ label, busy, onConfirm }: Props) {
  const { t } = useTranslation()
  const track = useRef<HTMLButtonElement>(null)
  const from = useRef<number | null>(null)
  const spent = useRef(false) // the click that ends a slide or a hold is no press
  const holding = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const [moved, setMoved] = useState(0)
  const [armedAt, setArmedAt] = useState(0)

  useEffect(() => {
    if (armedAt === 0) return
    const timer = setTimeout(() => setArmedAt(0), ARMED_MS)
    return () => clearTimeout(timer)
  }, [armedAt])
  useEffect(() => () => clearTimeout(holding.current), [])

  function confirm() {
    clearTimeout(holding.current)
    spent.current = true
    from.current = null
    if (!busy) onConfirm()
  }
  function press() {
    if (spent.current) {
      spent.current = false
      return
    }
    const now = performance.now()
    if (armedAt === 0) setArmedAt(now)
    else if (now - armedAt >= PAUSE_MS && !busy) {
      setArmedAt(0)
      onConfirm()
    }
  }
  function onDown(event: PointerEvent<HTMLButtonElement>) {
    if (event.button !== 0) return
    spent.current = false
    from.current = event.clientX
    event.currentTarget.setPointerCapture(event.pointerId)
    holding.current = setTimeout(confirm, HOLD_MS)
  }
  function way(event: PointerEvent<HTMLButtonElement>): number {
    const box = event.currentTarget.getBoundingClientRect()
    const forward = document.documentElement.dir === 'rtl' ? -1 : 1
    const length = Math.max(1, box.width - box.height)
    return Math.min(1, Math.max(0, (forward * (event.clientX - (from.current ?? event.clientX))) / length))
  }
  function onMove(event: PointerEvent<HTMLButtonElement>) {
    if (from.current === null) return
    if (Math.abs(event.clientX - from.current) > SLOP_PX) {
      clearTimeout(holding.current)
      spent.current = true
    }
    setMoved(way(event))
  }
  function onUp(event: PointerEvent<HTMLButtonElement>) {
    const enough = from.current !== null && way(event) >= ENOUGH
    clearTimeout(holding.current)
    from.current = null
    setMoved(0)
    if (enough) confirm()
  }
  // A key that is kept down is one press.
  const onKeyDown = (event: KeyboardEvent) => event.repeat && event.preventDefault()

  return (
    <button
      ref={track}
      type="button"
      aria-busy={busy || undefined}
      aria-describedby="slide-how"
      className={cx(
        'relative h-drive w-full touch-none overflow-hidden rounded-control text-lg font-semibold select-none',
        armedAt ? 'bg-accent text-on-accent' : 'border border-accent bg-panel text-accent',
      )}
      onPointerDown={onDown}
      onPointerMove={onMove}
      onPointerUp={onUp}
      onPointerCancel={() => {
        clearTimeout(holding.current)
        from.current = null
        setMoved(0)
      }}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={onKeyDown}
      onClick={press}
    >
      <span
        aria-hidden
        className="absolute inset-y-0 start-0 flex min-w-drive items-center justify-end rounded-control bg-accent text-on-accent"
        style={{
          width:
            moved > 0 ? `calc(var(--spacing-drive) + (100% - var(--spacing-drive)) * ${moved})` : undefined,
        }}
      >
        <span className="flex w-drive justify-center rtl:-scale-x-100">»</span>
      </span>
      <span className="relative block ps-drive pe-3">{armedAt ? t('drive.offer.again') : label}</span>
    </button>
  )
}
