/** Cancelling asks once, and says what it costs before it is done. */
import { useMutation, useQuery } from '@tanstack/react-query'
import { AlertDialog } from 'radix-ui'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { clock, money } from '@/i18n/format.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'

export function CancelDialog({
  booking,
  onDone,
}: {
  booking: Schemas['Booking']
  onDone: (booking: Schemas['Booking']) => void
}) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const [reason, setReason] = useState('')
  const cost = useQuery({
    queryKey: ['bookings', booking.id, 'cancellation'],
    queryFn: () => data(api.GET('/v1/bookings/{id}/cancellation', { params: { path: { id: booking.id } } })),
    enabled: open,
    staleTime: 0,
  })
  const cancel = useMutation({
    mutationFn: () =>
      data(
        api.POST('/v1/bookings/{id}/cancel', {
          params: { path: { id: booking.id } },
          // What was shown, and no more than that.
          body: {
            ...(reason.trim() && { reason: reason.trim() }),
            ...(cost.data && { fee: cost.data.fee.amount }),
          },
        }),
      ),
    onError: () => void cost.refetch(), // it may cost more by now
    onSuccess: (changed) => {
      setOpen(false)
      onDone(changed)
    },
  })
  return (
    <AlertDialog.Root open={open} onOpenChange={setOpen}>
      <AlertDialog.Trigger asChild>
        <Button kind="danger">{t('cancel.open')}</Button>
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <AlertDialog.Content className="fixed inset-x-4 top-1/2 z-50 mx-auto grid max-w-sm -translate-y-1/2 gap-4 rounded-panel border border-line bg-panel p-4">
          <AlertDialog.Title className="text-lg font-semibold">
            {t('cancel.title', { code: booking.code })}
          </AlertDialog.Title>
          <AlertDialog.Description>
            {cost.isPending
              ? t('cancel.asking')
              : cost.data && cost.data.fee.amount > 0
                ? t('cancel.fee', { amount: money(cost.data.fee.amount, cost.data.fee.currency) })
                : cost.data?.free_until
                  ? t('cancel.until', { at: clock(cost.data.free_until) })
                  : t('cancel.free')}
          </AlertDialog.Description>
          {cost.error !== null && <Failure error={cost.error} retry={() => void cost.refetch()} />}
          <Field
            label={t('cancel.reason')}
            value={reason}
            maxLength={200}
            onChange={(e) => setReason(e.target.value)}
          />
          {cancel.error !== null && <Failure error={cancel.error} />}
          <div className="flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>{t('cancel.keep')}</Button>
            </AlertDialog.Cancel>
            <Button
              kind="danger"
              busy={cancel.isPending || cost.isFetching}
              disabled={cost.data === undefined}
              onClick={() => cancel.mutate()}
            >
              {t('cancel.do')}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
