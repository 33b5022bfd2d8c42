/** The service worker: the pages start without a network, and a new version comes when the person says so. */
import { useSyncExternalStore } from 'react'

const CHECK_MS = 3_600_000
let waiting: ServiceWorker | null = null
let registered = false
const listeners = new Set<() => void>()

function found(worker: ServiceWorker | null): void {
  waiting = worker
  for (const listener of listeners) listener()
}

/** Asked for by the faces that are used where there is no network; the others load no more than they show. */
export async function startWorker(): Promise<void> {
  if (registered || navigator.serviceWorker === undefined || !import.meta.env.PROD) return
  registered = true
  const registration = await navigator.serviceWorker.register('/sw.js')
  if (registration.waiting && navigator.serviceWorker.controller) found(registration.waiting)
  registration.addEventListener('updatefound', () => {
    const worker = registration.installing
    worker?.addEventListener('statechange', () => {
      // Without a controller it is the first one, and nothing is replaced.
      if (worker.state === 'installed' && navigator.serviceWorker.controller) found(worker)
    })
  })
  setInterval(() => void registration.update().catch(() => undefined), CHECK_MS)
}

/** Is there a newer version of the app that only waits to be taken? */
export function useUpdate(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => waiting !== null,
  )
}

/** Takes it: the page starts anew. */
export function takeUpdate(): void {
  navigator.serviceWorker.addEventListener('controllerchange', () => window.location.reload(), { once: true })
  waiting?.postMessage({ type: 'SKIP_WAITING' })
}
