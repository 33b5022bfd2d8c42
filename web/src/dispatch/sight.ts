/** Which rows of a long list are in sight. Only those are in the page, so that thousands stay smooth. */
import { useCallback, useEffect, useRef, useState } from 'react'

const MORE = 6 // rows beyond those in sight, for who scrolls and for who goes through them by Tab
const HEIGHT_FIRST = 800 // px, until the box has been measured

/** `box` scrolls; in it the rows FIRST to LAST are drawn, each `rowPx` high. Row AT (or -1) is brought into sight when it changes. */
export function useRowsInSight(count: number, rowPx: number, at: number) {
  const element = useRef<HTMLElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(HEIGHT_FIRST)
  const box = useCallback((made: HTMLElement | null) => {
    element.current = made
    if (made === null) return
    const watcher = new ResizeObserver(() => setHeight(made.clientHeight))
    watcher.observe(made)
    return () => watcher.disconnect()
  }, [])
  useEffect(() => {
    const seen = element.current
    if (seen === null || at < 0) return
    if (at * rowPx < seen.scrollTop) seen.scrollTop = at * rowPx
    else if ((at + 1) * rowPx > seen.scrollTop + seen.clientHeight)
      seen.scrollTop = (at + 1) * rowPx - seen.clientHeight
  }, [at, rowPx])
  return {
    box,
    onScroll: (event: { currentTarget: HTMLElement }) => setTop(event.currentTarget.scrollTop),
    first: Math.max(0, Math.floor(top / rowPx) - MORE),
    last: Math.min(count, Math.ceil((top + height) / rowPx) + MORE),
  }
}
