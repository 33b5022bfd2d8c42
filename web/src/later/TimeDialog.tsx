/** Another time for a booking that nobody is looked for yet. If that costs more, it says so before it is done. */
import { useMutation, useQuery } from '@tanstack/react-query'
import { AlertDialog } from 'radix-ui'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { useNow } from '@/app/hooks.ts'
import { money } from '@/i18n/format.ts'
import { Button, Failure } from '@/ui/index.tsx'
import { WhenFields, words } from './WhenFields.tsx'
import { faultOf, sent, type Typed, typed, useAreaZone, type Window, windowOf } from './zone.ts'

export { words }

type Price = { currency: string; total: number; old_total: number }
const priceOf = (error: unknown) =>
  error instanceof Problem && error.kind === 'price-changed' ? (error.members.price as Price) : null

type Props = {
  booking: Schemas['Booking'] & { pickup_window: Window }
  onDone: (booking: Schemas['Booking']) => void
}
export function TimeDialog({ booking, onDone }: Props) {
  const { t } = useTranslation()
  const zone = useAreaZone()
  const now = useNow(10_000)
  const [open, setOpen] = useState(false)
  const [when, setWhen] = useState<Typed>(() => typed(booking.pickup_window, zone))
  const move = useMutation({
    mutationFn: (total: number | undefined) =>
      data(
        api.PUT('/v1/bookings/{id}/pickup-window', {
          params: { path: { id: booking.id } },
          body: {
            pickup_window: sent(windowOf(when, zone)),
            ...(total !== undefined && { total }),
          },
        }),
      ),
    onSuccess: (changed) => {
      setOpen(false)
      onDone(changed)
    },
  })
  const dearer = priceOf(move.error)
  const cost = useQuery({
    queryKey: ['bookings', booking.id, 'cancellation'],
    queryFn: () => data(api.GET('/v1/bookings/{id}/cancellation', { params: { path: { id: booking.id } } })),
    enabled: open,
    staleTime: 0,
  })
  const fee = cost.data?.fee
  return (
    <AlertDialog.Root
      open={open}
      onOpenChange={(now) => {
        setOpen(now)
        setWhen(typed(booking.pickup_window, zone))
        move.reset()
      }}
    >
      <AlertDialog.Trigger asChild>
        <Button>{t('later.change')}</Button>
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <AlertDialog.Content className="fixed inset-x-4 top-1/2 z-50 mx-auto grid max-h-[90dvh] max-w-sm -translate-y-1/2 gap-4 overflow-y-auto rounded-panel border border-line bg-panel p-4">
          <AlertDialog.Title className="text-lg font-semibold">{t('later.change')}</AlertDialog.Title>
          <AlertDialog.Description className="text-sm text-quiet">
            {t('when.changeMore')}
          </AlertDialog.Description>
          <WhenFields
            zone={zone}
            when={when}
            onChange={(changed) => {
              setWhen(changed)
              move.reset()
            }}
          />
          {fee !== undefined && fee.amount > 0 && (
            <p role="status">{t('when.feeStays', { amount: money(fee.amount, fee.currency) })}</p>
          )}
          {dearer && (
            <p role="alert">
              {t('when.dearer', {
                price: money(dearer.total, dearer.currency),
                old: money(dearer.old_total, dearer.currency),
              })}
            </p>
          )}
          {move.error !== null && !dearer && <Failure error={move.error} />}
          <div className="flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>{t('when.keep')}</Button>
            </AlertDialog.Cancel>
            <Button
              kind="primary"
              busy={move.isPending}
              disabled={faultOf(when, zone, now) !== null}
              onClick={() => move.mutate(dearer?.total)}
            >
              {dearer ? t('when.doFor', { price: money(dearer.total, dearer.currency) }) : t('when.do')}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
