/** Other stops than before, while the booking is under way: first what they would cost, then the change, for that. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Dialog } from 'radix-ui'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { useNow } from '@/app/hooks.ts'
import { movedStop, STOPS_MAX } from '@/book/draft.ts'
import { PlaceField } from '@/book/PlaceField.tsx'
import { StopButtons } from '@/book/StopButtons.tsx'
import { distance, duration, moment, money } from '@/i18n/format.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'
import { fixedOf, isSame, isWhole, NOTE_MAX, newWish, sentStops, type Wish, wishesOf } from './wish.ts'

export const words = () => loadWords('changing')

type Props = {
  booking: Schemas['Booking']
  /** Whoever changes another's booking says why. */
  staff?: boolean
  onDone: (booking: Schemas['Booking']) => void
}
export function ChangeStops({ booking, staff = false, onDone }: Props) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger asChild>
        <Button {...(staff && { size: 'compact' })}>{t('changing.open')}</Button>
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Dialog.Content className="fixed inset-x-4 top-1/2 z-50 mx-auto grid max-h-[90dvh] max-w-md -translate-y-1/2 gap-4 overflow-y-auto rounded-panel border border-line bg-panel p-4">
          <Dialog.Title className="text-lg font-semibold">{t('changing.open')}</Dialog.Title>
          <Dialog.Description className="text-sm text-quiet">{t('changing.more')}</Dialog.Description>
          <Editor
            booking={booking}
            staff={staff}
            onDone={(changed) => {
              setOpen(false)
              onDone(changed)
            }}
          />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

/** What he puts together is of the booking as it was when he began: if it has changed, the server says so, and he begins anew. */
function Editor({ booking, staff = false, onDone }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [base, setBase] = useState(booking)
  const [wishes, setWishes] = useState(() => wishesOf(booking.stops))
  const [reason, setReason] = useState('')
  const path = { id: booking.id }
  const why = reason.trim()
  const body = { stops: sentStops(wishes), stops_revision: base.stops_revision ?? 0 }
  const preview = useMutation({
    mutationFn: () => data(api.POST('/v1/bookings/{id}/stops/preview', { params: { path }, body })),
  })
  const change = useMutation({
    mutationFn: (total: number) =>
      data(
        api.POST('/v1/bookings/{id}/stops', {
          params: { path },
          body: { ...body, total, ...(staff && { reason: why }) },
        }),
      ),
    onSuccess: onDone,
    onError: () => void client.invalidateQueries({ queryKey: ['booking', booking.id] }),
  })
  const error = change.error ?? preview.error
  function wish(next: Wish[]) {
    setWishes(next)
    preview.reset()
    change.reset()
  }
  /** What is to be known there costs nothing: the price that was shown stays. */
  function note(key: string, text: string) {
    setWishes(wishes.map((w) => (w.key === key ? { ...w, note: text } : w)))
    change.reset()
  }
  function beginAnew() {
    setBase(booking)
    wish(wishesOf(booking.stops))
  }
  return (
    <>
      <Wishes stops={base.stops} wishes={wishes} onChange={wish} onNote={note} />
      {preview.data && change.error === null && <Outcome shown={preview.data} />}
      {preview.data && staff && (
        <Field
          label={t('changing.why')}
          value={reason}
          maxLength={500}
          autoComplete="off"
          onChange={(e) => setReason(e.target.value)}
        />
      )}
      {error !== null && (
        <div className="grid justify-items-start gap-2">
          <Failure error={error} />
          <Button onClick={beginAnew}>{t('changing.anew')}</Button>
        </div>
      )}
      <div className="flex flex-wrap justify-end gap-2">
        <Dialog.Close asChild>
          <Button>{t('changing.keep')}</Button>
        </Dialog.Close>
        {preview.data && change.error === null ? (
          <Button
            kind="primary"
            busy={change.isPending}
            disabled={staff && why === ''}
            onClick={() => change.mutate(preview.data.price.total)}
          >
            {t('changing.do', { price: money(preview.data.price.total, preview.data.price.currency) })}
          </Button>
        ) : (
          <Button
            kind="primary"
            busy={preview.isPending}
            disabled={!wishes.every(isWhole) || isSame(wishes, base.stops)}
            onClick={() => {
              change.reset()
              preview.mutate()
            }}
          >
            {t('changing.look')}
          </Button>
        )}
      </div>
    </>
  )
}

function Wishes({
  stops,
  wishes,
  onChange,
  onNote,
}: {
  stops: Schemas['Stop'][]
  wishes: Wish[]
  onChange: (wishes: Wish[]) => void
  onNote: (key: string, text: string) => void
}) {
  const { t } = useTranslation()
  const fixed = fixedOf(stops)
  const stands = stops[fixed - 1]?.state === 'arrived'
  const least = stands && fixed > 1 ? fixed : fixed + 1
  const name = (i: number) => (i === 0 ? t('stop.pickup') : t('stop.numbered', { number: i }))
  const set = (i: number, part: Partial<Wish>) =>
    onChange(wishes.map((w, k) => (k === i ? { ...w, ...part } : w)))
  return (
    <>
      <ol className="grid gap-3">
        {wishes.map((wish, i) => (
          <li key={wish.key} className="grid grid-cols-1 gap-2">
            <div className="flex items-end gap-1">
              {wish.index === null ? (
                <PlaceField
                  label={name(i)}
                  value={wish.address}
                  chosen={isWhole(wish)}
                  onType={(address) => set(i, { address, lat: null, lng: null })}
                  onChoose={({ label, lat, lng }, contact) =>
                    set(i, { address: label, lat, lng, contact: contact ?? undefined })
                  }
                />
              ) : (
                <p className="min-w-0 grow self-center">
                  <span className="block text-sm text-quiet">{name(i)}</span>
                  <bdi>{wish.address || t(i === 0 ? 'stop.pickup' : 'stop.dropoff')}</bdi>
                  {stops[wish.index]?.note && (
                    <span className="block whitespace-pre-line text-sm text-quiet">
                      “<bdi>{stops[wish.index]?.note}</bdi>”
                    </span>
                  )}
                </p>
              )}
              {i < fixed ? (
                <span className="self-center text-sm text-quiet">{t('changing.stays')}</span>
              ) : (
                <StopButtons
                  stop={name(i)}
                  first={i === fixed}
                  last={i === wishes.length - 1}
                  stays={wishes.length <= least}
                  onMove={(by) => onChange(movedStop(wishes, i, i + by))}
                  onRemove={() => onChange(wishes.filter((_, k) => k !== i))}
                />
              )}
            </div>
            {wish.index === null && (
              <Field
                label={t('book.stopNote')}
                hint={t('book.stopNoteHint')}
                value={wish.note ?? ''}
                autoComplete="off"
                maxLength={NOTE_MAX}
                onChange={(e) => onNote(wish.key, e.target.value)}
              />
            )}
          </li>
        ))}
      </ol>
      <Button
        kind="quiet"
        className="justify-self-start"
        disabled={wishes.length >= STOPS_MAX}
        onClick={() => onChange([...wishes, newWish()])}
      >
        + {t('book.addStop')}
      </Button>
    </>
  )
}

/** What would come of it, the price before all. */
function Outcome({ shown }: { shown: Schemas['StopsPreview'] }) {
  const { t } = useTranslation()
  const now = useNow(10_000)
  const { price, difference } = shown
  const more = money(Math.abs(difference), price.currency)
  return (
    <div role="status" className="grid gap-1 rounded-control border border-line p-3">
      <p className="figures text-xl font-semibold">{money(price.total, price.currency)}</p>
      <p className="figures">
        {difference > 0
          ? t('changing.dearer', { price: more })
          : difference < 0
            ? t('changing.cheaper', { price: more })
            : t(shown.price_stands ? 'changing.stands' : 'changing.same')}
      </p>
      <p className="figures text-sm text-quiet">
        {t('changing.trip', { distance: distance(shown.distance_m), duration: duration(shown.duration_s) })}
      </p>
      {shown.eta_at && (
        <p className="figures text-sm text-quiet">
          {t('changing.arrives', { when: moment(shown.eta_at, now) })}
        </p>
      )}
    </div>
  )
}
