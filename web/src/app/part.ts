/** A part of a page that comes by itself. A network that fails for a moment must not take the page with it, so it is asked for again. */
import { type ComponentType, lazy } from 'react'

const TRIES_MAX = 6
const FIRST_MS = 500
const MOST_MS = 8_000
const pause = (ms: number) => new Promise<void>((over) => setTimeout(over, ms))

type Patience = { firstMs?: number; again?: (error: unknown) => boolean }
/** What LOAD gives, once it gives something; its failure after the last try, or where trying AGAIN is no use. */
export async function patiently<T>(
  load: () => Promise<T>,
  wait = pause,
  { firstMs = FIRST_MS, again = () => true }: Patience = {},
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await load()
    } catch (error) {
      if (tries >= TRIES_MAX || !again(error)) throw error
      await wait(Math.min(MOST_MS, firstMs * 2 ** (tries - 1)))
    }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as React's own lazy() says it
export function part<T extends ComponentType<any>>(load: () => Promise<{ default: T }>) {
  return lazy(() => patiently(load))
}
