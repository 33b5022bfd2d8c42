/** Before the goods are his: the job goes back, and somebody else is looked for. Says what that means and asks why first.
 * Nothing of it waits on the device: whoever gives a job back has to know that it is not his any more. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { AlertDialog } from 'radix-ui'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'
import { takeJob } from './hooks.ts'

const REASON_MAX = 500 // the API's

export function ReleaseDialog({ job }: { job: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [open, setOpen] = useState(false)
  const [reason, setReason] = useState('')
  const release = useMutation({
    mutationFn: () =>
      data(
        api.POST('/v1/bookings/{id}/release', {
          params: { path: { id: job.id } },
          body: { reason: reason.trim() },
        }),
      ),
    onSuccess: (booking) => takeJob(client, booking),
  })
  return (
    <AlertDialog.Root open={open} onOpenChange={setOpen}>
      <AlertDialog.Trigger asChild>
        <Button kind="quiet" size="drive">
          {t('arrive.release.open')}
        </Button>
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <AlertDialog.Content className="fixed inset-x-0 bottom-0 z-50 mx-auto grid max-h-full max-w-xl gap-4 overflow-auto rounded-panel border border-line bg-panel p-4">
          <AlertDialog.Title className="text-lg font-semibold">
            {t('arrive.release.title', { code: job.code })}
          </AlertDialog.Title>
          <AlertDialog.Description>{t('arrive.release.more')}</AlertDialog.Description>
          <Field
            size="drive"
            label={t('arrive.release.why')}
            value={reason}
            maxLength={REASON_MAX}
            onChange={(e) => setReason(e.target.value)}
          />
          {release.error !== null && <Failure size="drive" error={release.error} />}
          <div className="grid gap-2">
            <AlertDialog.Cancel asChild>
              <Button size="drive">{t('arrive.release.keep')}</Button>
            </AlertDialog.Cancel>
            <Button
              kind="danger"
              size="drive"
              disabled={reason.trim() === ''}
              busy={release.isPending}
              onClick={() => release.mutate()}
            >
              {t('arrive.release.do')}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
