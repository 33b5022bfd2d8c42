/** What has been done, said politely at the edge of the page, and undone from there where it can be. A face shows one <Toaster />. */
import { useEffect, useState, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'
import { Button, sayProblem } from './index.tsx'

type Toast = { id: number; text: string; undo?: () => Promise<unknown> }
const TOASTS_MAX = 4
const SHOWN_MS = 6_000
const UNDO_MS = 12_000

let toasts: Toast[] = []
let lastId = 0
const listeners = new Set<() => void>()
function put(next: Toast[]): void {
  toasts = next
  for (const listener of listeners) listener()
}
const listen = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** UNDO: takes back what was done; what it rejects with is said in its place. */
export function toast(text: string, undo?: () => Promise<unknown>): void {
  put([...toasts, { id: ++lastId, text, ...(undo && { undo }) }].slice(-TOASTS_MAX))
}
function drop(id: number): void {
  put(toasts.filter((each) => each.id !== id))
}

export function Toaster() {
  const shown = useSyncExternalStore(listen, () => toasts)
  return (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-4 bottom-4 z-50 mx-auto grid max-w-md gap-2"
    >
      {shown.map((each) => (
        <Bread key={each.id} toast={each} />
      ))}
    </div>
  )
}

function Bread({ toast: { id, text, undo } }: { toast: Toast }) {
  const { t } = useTranslation()
  const [held, setHeld] = useState(false)
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    if (held || busy) return
    const timer = setTimeout(() => drop(id), undo ? UNDO_MS : SHOWN_MS)
    return () => clearTimeout(timer)
  }, [id, held, busy, undo])
  async function takeBack() {
    setBusy(true)
    try {
      await undo?.()
      toast(t('set.undone'))
    } catch (refusal) {
      toast(sayProblem(t, refusal))
    }
    drop(id)
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only waits while somebody looks at it
    <div
      className="pointer-events-auto flex items-center gap-3 rounded-panel border border-line bg-panel px-4 py-2"
      onMouseEnter={() => setHeld(true)}
      onMouseLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <p className="grow">{text}</p>
      {undo && (
        <Button kind="quiet" size="compact" busy={busy} onClick={() => void takeBack()}>
          {t('set.undo')}
        </Button>
      )}
      <Button kind="quiet" size="compact" aria-label={t('set.close')} onClick={() => drop(id)}>
        ✕
      </Button>
    </div>
  )
}
