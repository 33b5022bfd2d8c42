/** A form with changes that are not saved is not left without a question: neither for another page of the app, nor for
 * another site. Its words are of the part "set". */
import { AlertDialog } from 'radix-ui'
import { type ReactNode, useCallback, useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { useBlocker } from 'react-router'
import { Button } from './index.tsx'

/** DIRTY: there is something to lose. The warning is to be rendered; done() lets the next step pass (it was saved). */
export function useLeaveWarning(dirty: boolean): { warning: ReactNode; done: () => void } {
  const { t } = useTranslation()
  const held = useRef(dirty)
  held.current = dirty
  const passed = useRef(false)
  const blocker = useBlocker(
    // What a page keeps in its own address (a filter, a sort) leaves nothing.
    ({ currentLocation, nextLocation }) =>
      held.current && !passed.current && currentLocation.pathname !== nextLocation.pathname,
  )
  useEffect(() => {
    if (!dirty) return
    const ask = (event: BeforeUnloadEvent) => {
      if (!passed.current) event.preventDefault()
    }
    window.addEventListener('beforeunload', ask)
    return () => window.removeEventListener('beforeunload', ask)
  }, [dirty])
  const done = useCallback(() => {
    passed.current = true
  }, [])
  const before = useRef<Element | null>(null) // it has no button of its own that the focus could go back to
  const stay = () => blocker.state === 'blocked' && blocker.reset()
  const warning = (
    <AlertDialog.Root open={blocker.state === 'blocked'} onOpenChange={(open) => !open && stay()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <AlertDialog.Content
          className="fixed inset-x-4 top-1/2 z-50 mx-auto grid max-h-[90dvh] max-w-md -translate-y-1/2 gap-4 overflow-y-auto rounded-panel border border-line bg-panel p-4"
          onOpenAutoFocus={() => {
            before.current = document.activeElement
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            if (before.current instanceof HTMLElement) before.current.focus()
          }}
        >
          <AlertDialog.Title className="text-lg font-semibold">{t('set.leaveTitle')}</AlertDialog.Title>
          <AlertDialog.Description>{t('set.leaveText')}</AlertDialog.Description>
          <div className="flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button kind="primary">{t('set.stay')}</Button>
            </AlertDialog.Cancel>
            <Button kind="danger" onClick={() => blocker.state === 'blocked' && blocker.proceed()}>
              {t('set.leave')}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
  return { warning, done }
}
