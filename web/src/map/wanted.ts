/** When a phone fetches the map. It is a megabyte and keeps a slow phone busy for a second, just when the person wants to read or
 * to begin: so it comes with the first touch, key or turn of the wheel. A desk has room for it, and gets it at once. */
import { useEffect, useState } from 'react'

const signs = ['pointerdown', 'pointermove', 'keydown', 'focusin', 'wheel'] as const
const REST_MS = 3_000

/** Calls BEGIN when the page has loaded, has had some time since, and has nothing to do. */
function atRest(begin: () => void): () => void {
  const idle = window.requestIdleCallback ?? ((done: () => void) => setTimeout(done, 200))
  let timer: ReturnType<typeof setTimeout> | undefined
  const wait = () => {
    timer = setTimeout(() => idle(begin), REST_MS)
  }
  if (document.readyState === 'complete') wait()
  else addEventListener('load', wait, { once: true })
  return () => {
    clearTimeout(timer)
    removeEventListener('load', wait)
  }
}

/** RESTING: also when nobody touches the page, for there is something on the map to see. */
export function useMapWanted(resting = false): boolean {
  const [wanted, set] = useState(() => matchMedia('(min-width: 48rem)').matches)
  useEffect(() => {
    const begin = () => set(true)
    for (const sign of signs) addEventListener(sign, begin, { passive: true })
    const rest = resting ? atRest(begin) : undefined
    return () => {
      for (const sign of signs) removeEventListener(sign, begin)
      rest?.()
    }
  }, [resting])
  return wanted
}
