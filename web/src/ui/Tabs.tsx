/** Places side by side. Where they do not fit they scroll: the one that is shown is brought into view, and an arrow at an edge says
 * that there are more beyond it. */
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'react-router'
import { cx } from './index.tsx'

type Beyond = { start: boolean; end: boolean }
const nothing: Beyond = { start: false, end: false }

/** Which ends of what NAV holds lie outside it, in the direction of reading. */
function beyondOf(nav: HTMLElement): Beyond {
  const [first, last] = [nav.firstElementChild, nav.lastElementChild]
  if (first === null || last === null) return nothing
  const [own, a, b] = [nav, first, last].map((e) => e.getBoundingClientRect()) as [DOMRect, DOMRect, DOMRect]
  const rtl = getComputedStyle(nav).direction === 'rtl'
  return rtl
    ? { start: a.right > own.right + 1, end: b.left < own.left - 1 }
    : { start: a.left < own.left - 1, end: b.right > own.right + 1 }
}

/** Moves what NAV holds, not the page: scrollIntoView would move that, too. */
function showCurrent(nav: HTMLElement): void {
  const current = nav.querySelector('[aria-current=page]')?.getBoundingClientRect()
  const own = nav.getBoundingClientRect()
  if (current !== undefined)
    nav.scrollBy({
      left: current.left + current.width / 2 - own.left - own.width / 2,
      behavior: 'instant',
    })
}

type Props = { label: string; around?: string; className?: string; children: ReactNode }
export function Tabs({ label, around, className, children }: Props) {
  const { i18n } = useTranslation()
  const { pathname } = useLocation()
  const bar = useRef<HTMLElement>(null)
  const [beyond, setBeyond] = useState(nothing)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page or language moves them
  useEffect(() => {
    const nav = bar.current
    if (nav === null) return
    showCurrent(nav)
    const look = () => setBeyond(beyondOf(nav))
    const watcher = new ResizeObserver(look) // says how it is at first, too
    watcher.observe(nav)
    nav.addEventListener('scroll', look, { passive: true })
    return () => {
      watcher.disconnect()
      nav.removeEventListener('scroll', look)
    }
  }, [pathname, i18n.language])
  const go = (way: -1 | 1) => {
    const nav = bar.current
    const forward = nav !== null && getComputedStyle(nav).direction === 'rtl' ? -1 : 1
    nav?.scrollBy({ left: way * forward * nav.clientWidth * 0.7, behavior: 'instant' })
  }
  const arrow = (way: -1 | 1) => (
    // For fingers and mice; keys go from place to place.
    <button
      type="button"
      aria-hidden
      tabIndex={-1}
      className={cx(
        'absolute inset-y-0 grid w-8 place-items-center bg-panel text-quiet',
        way < 0 ? 'start-0 border-e border-line' : 'end-0 border-s border-line',
      )}
      onClick={() => go(way)}
    >
      <span className="rtl:-scale-x-100">{way < 0 ? '‹' : '›'}</span>
    </button>
  )
  return (
    <div className={cx('relative min-w-0', around)}>
      <nav ref={bar} aria-label={label} className={cx('flex gap-1 overflow-x-auto scroll-px-9', className)}>
        {children}
      </nav>
      {beyond.start && arrow(-1)}
      {beyond.end && arrow(1)}
    </div>
  )
}
