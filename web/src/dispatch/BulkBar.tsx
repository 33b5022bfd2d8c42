/** What can be done with several jobs at once, and what came of it: each is done or refused for itself. */
import { AlertDialog } from 'radix-ui'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { number } from '@/i18n/format.ts'
import { Button, Field, sayProblem } from '@/ui/index.tsx'
import { cancelEach, giveEach, isConflict, type Outcome, refresh } from './hands.ts'
import { type Booking, isEnded, isUnassigned } from './jobs.ts'

type Props = { chosen: Booking[]; onClear: () => void }
export function BulkBar({ chosen, onClear }: Props) {
  const { t } = useTranslation()
  const [step, setStep] = useState<{ n: number; of: number } | null>(null)
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const open = chosen.filter(isUnassigned)
  const living = chosen.filter((b) => !isEnded(b))
  // It stays until its work is told of, though what is cancelled leaves the list meanwhile.
  if (chosen.length < 2 && step === null && outcome === null) return null
  async function run(list: Booking[], act: (step: (n: number) => void) => Promise<Outcome>) {
    setOutcome(null)
    setStep({ n: 0, of: list.length })
    const came = await act((n) => setStep({ n, of: list.length }))
    for (const { booking, error } of came.refused) if (isConflict(error)) void refresh(booking.id)
    setOutcome(came)
    setStep(null)
  }
  return (
    <section
      aria-label={t('hands.several')}
      className="grid gap-2 border-b border-line bg-raised p-2 text-sm"
    >
      <p role="status" className="figures">
        {step === null
          ? t('hands.chosen', { count: chosen.length })
          : t('hands.at', { n: number(step.n + 1), of: number(step.of) })}
      </p>
      <div className="flex flex-wrap gap-1">
        <Button
          size="compact"
          kind="primary"
          busy={step !== null}
          disabled={open.length === 0}
          onClick={() => void run(open, (told) => giveEach(open, told))}
        >
          {t('hands.giveEach', { count: open.length })}
        </Button>
        <CancelEach
          count={living.length}
          disabled={living.length === 0 || step !== null}
          onConfirm={(reason) => void run(living, (told) => cancelEach(living, reason, told))}
        />
        <Button
          size="compact"
          kind="quiet"
          disabled={step !== null}
          onClick={() => {
            setOutcome(null)
            onClear()
          }}
        >
          {t('hands.none')}
        </Button>
      </div>
      {outcome && (
        <div role={outcome.refused.length > 0 ? 'alert' : 'status'} className="grid gap-1">
          <p>{t('hands.done', { count: outcome.done.length })}</p>
          {outcome.refused.map(({ booking, error }) => (
            <p key={booking.id} className="text-bad">
              <bdi className="figures">{booking.code}</bdi>: {sayProblem(t, error)}
            </p>
          ))}
        </div>
      )}
    </section>
  )
}

type CancelProps = { count: number; disabled: boolean; onConfirm: (reason: string) => void }
function CancelEach({ count, disabled, onConfirm }: CancelProps) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const [reason, setReason] = useState('')
  return (
    <AlertDialog.Root open={open} onOpenChange={setOpen}>
      <AlertDialog.Trigger asChild>
        <Button size="compact" kind="danger" disabled={disabled}>
          {t('hands.cancelEach', { count })}
        </Button>
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <AlertDialog.Content className="fixed inset-x-4 top-1/2 z-50 mx-auto grid max-w-sm -translate-y-1/2 gap-4 rounded-panel border border-line bg-panel p-4">
          <AlertDialog.Title className="text-lg font-semibold">
            {t('hands.cancelEach', { count })}
          </AlertDialog.Title>
          <AlertDialog.Description>{t('hands.cancelText')}</AlertDialog.Description>
          <Field
            label={t('hands.reason')}
            value={reason}
            maxLength={200}
            onChange={(e) => setReason(e.target.value)}
          />
          <div className="flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>{t('cancel.keep')}</Button>
            </AlertDialog.Cancel>
            <Button
              kind="danger"
              disabled={reason.trim() === ''}
              onClick={() => {
                setOpen(false)
                onConfirm(reason.trim())
              }}
            >
              {t('cancel.do')}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
