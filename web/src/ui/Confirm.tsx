/** A button that asks once more before it does something that cannot be taken back. What can be is done at once, with a
 * toast that undoes it. */
import { AlertDialog } from 'radix-ui'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button, Failure } from './index.tsx'

type Props = {
  /** On the button that asks. */
  label: ReactNode
  title: string
  /** What will happen, and what stays. */
  text: ReactNode
  /** On the button that does it: a verb. */
  action: string
  onConfirm: () => Promise<unknown>
  kind?: 'plain' | 'danger' | 'primary'
  size?: 'touch' | 'compact'
  disabled?: boolean
  children?: ReactNode
}
export function ConfirmButton({ kind = 'danger', size = 'touch', children, ...props }: Props) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  async function confirm() {
    if (busy) return
    setBusy(true)
    setError(null)
    try {
      await props.onConfirm()
      setOpen(false)
    } catch (refusal) {
      setError(refusal)
    } finally {
      setBusy(false)
    }
  }
  return (
    <AlertDialog.Root
      open={open}
      onOpenChange={(now) => {
        setOpen(now)
        setError(null)
      }}
    >
      <AlertDialog.Trigger asChild>
        <Button kind={kind} size={size} disabled={props.disabled}>
          {props.label}
        </Button>
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <AlertDialog.Content className="fixed inset-x-4 top-1/2 z-50 mx-auto grid max-h-[90dvh] max-w-md -translate-y-1/2 gap-4 overflow-y-auto rounded-panel border border-line bg-panel p-4">
          <AlertDialog.Title className="text-lg font-semibold">{props.title}</AlertDialog.Title>
          <AlertDialog.Description>{props.text}</AlertDialog.Description>
          {children}
          {error !== null && <Failure error={error} />}
          <div className="flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>{t('set.cancel')}</Button>
            </AlertDialog.Cancel>
            <Button kind={kind === 'plain' ? 'primary' : kind} busy={busy} onClick={() => void confirm()}>
              {props.action}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
