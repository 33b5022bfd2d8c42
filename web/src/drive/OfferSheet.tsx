/** A job is offered: what it pays, how far the pickup is, how long there is to answer. It covers everything; nothing that
 * was under the finger takes it. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { AlertDialog } from 'radix-ui'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { useNow } from '@/app/hooks.ts'
import { LoadLine } from '@/booking/Goods.tsx'
import { countdown, distance, duration, money } from '@/i18n/format.ts'
import { Button, Failure } from '@/ui/index.tsx'
import { callForAttention } from './attention.ts'
import { closeOffer, type Notice, takeJob } from './hooks.ts'
import { SlideToConfirm } from './SlideToConfirm.tsx'

type Props = { offer: Schemas['Offer']; note: (notice: Notice) => void }
export function OfferSheet({ offer, note }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const panel = useRef<HTMLDivElement>(null)
  useEffect(callForAttention, [])
  // Gone by our clock: the server's word (offer.closed) may be slow to come, or never.
  const left = Date.parse(offer.expires_at) - useNow(250)
  const lapses = useRef(left)
  useEffect(() => {
    const timer = setTimeout(
      () => closeOffer(client, { id: offer.id, reason: 'expired' }, note),
      Math.max(0, lapses.current),
    )
    return () => clearTimeout(timer)
  }, [client, note, offer.id])

  const path = { path: { id: offer.booking_id } }
  const gone = (error: unknown) => {
    if (error instanceof Problem && error.kind === 'offer-closed')
      closeOffer(client, { id: offer.id, reason: 'withdrawn' }, note)
  }
  const accept = useMutation({
    mutationFn: () =>
      data(api.POST('/v1/bookings/{id}/accept', { params: path, body: { offer_id: offer.id } })),
    onSuccess: (booking) => {
      closeOffer(client, { id: offer.id, reason: 'accepted' }, note)
      takeJob(client, booking)
    },
    onError: gone,
  })
  const decline = useMutation({
    mutationFn: () => api.POST('/v1/bookings/{id}/decline', { params: path, body: { offer_id: offer.id } }),
    onSuccess: () => closeOffer(client, { id: offer.id, reason: 'declined' }, note),
    onError: gone,
  })
  const error = accept.error ?? decline.error
  return (
    <AlertDialog.Root open>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <AlertDialog.Content
          ref={panel}
          className="fixed inset-x-0 bottom-0 z-50 mx-auto grid max-h-full max-w-xl gap-4 overflow-auto rounded-panel border border-line bg-panel p-4"
          onEscapeKeyDown={(event) => event.preventDefault()}
          onOpenAutoFocus={(event) => {
            event.preventDefault()
            panel.current?.focus() // not a button: a key that was on its way must not answer
          }}
        >
          <header className="flex items-baseline justify-between gap-3">
            <AlertDialog.Title className="text-lg font-semibold">
              <span aria-hidden className="text-accent motion-safe:animate-pulse">
                ●
              </span>{' '}
              {t(offer.free_at ? 'drive.offer.titleNext' : 'drive.offer.title')}
            </AlertDialog.Title>
            <span role="timer" className="figures text-lg text-waits">
              {countdown(left)}
            </span>
          </header>
          <p className="figures text-xl font-semibold">
            {money(offer.earning.amount, offer.earning.currency)}
          </p>
          <AlertDialog.Description className="figures text-lg">
            {t(offer.free_at ? 'drive.offer.pickupNext' : 'drive.offer.pickup', {
              distance: distance(offer.pickup_distance_m),
              time: duration(offer.pickup_eta_s),
            })}
          </AlertDialog.Description>
          <ol className="grid gap-1">
            <li>
              <bdi>{offer.pickup?.address ?? t('stop.pickup')}</bdi>
            </li>
            <li>
              <span className="inline-block rtl:-scale-x-100">→</span>{' '}
              <bdi>{offer.dropoff?.address ?? t('stop.dropoff')}</bdi>
            </li>
            {offer.stops > 2 && (
              <li className="text-quiet">{t('drive.offer.stops', { count: offer.stops })}</li>
            )}
          </ol>
          <LoadLine load={offer.load} />
          {offer.cash && (
            <p className="figures">
              {t('cash.offer', { money: money(offer.cash.amount, offer.cash.currency) })}
            </p>
          )}
          {error !== null && <Failure error={error} size="drive" />}
          <SlideToConfirm
            label={t('drive.offer.accept')}
            busy={accept.isPending}
            onConfirm={() => accept.mutate()}
          />
          <p id="slide-how" className="text-sm text-quiet">
            {t('drive.offer.how')}
          </p>
          <Button size="drive" busy={decline.isPending} onClick={() => decline.mutate()}>
            {t('drive.offer.decline')}
          </Button>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
