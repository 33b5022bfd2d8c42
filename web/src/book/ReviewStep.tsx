/** Everything once more, who is there at each stop, and the one button that books. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { takeBooking, useNow } from '@/app/hooks.ts'
import { part } from '@/app/part.ts'
import { Extras } from '@/booking/Extras.tsx'
import { minorOf } from '@/cash/amount.ts'
import { countdown, money } from '@/i18n/format.ts'
import { When } from '@/later/When.tsx'
import { Button, Failure, Field, Skeleton } from '@/ui/index.tsx'
import { type Draft, type DraftStop, emptyDraft, goodsOf, peopleOf, setDraft, useDraft } from './draft.ts'
import { PriceItems } from './PriceItems.tsx'
import { isOfPromo } from './PromoField.tsx'
import type { Quotes } from './quotes.ts'

const PreferFavourites = part(async () => {
  const { words, PreferFavourites } = await import('@/later/Favourite.tsx')
  await words()
  return { default: PreferFavourites }
})

const ProofChoice = part(async () => {
  const { words, ProofChoice } = await import('./ProofChoice.tsx')
  await words()
  return { default: ProofChoice }
})

const Repeat = part(async () => {
  const [{ Repeat }, { words }] = await Promise.all([
    import('@/recurring/Repeat.tsx'),
    import('@/recurring/words.ts'),
  ])
  await words()
  return { default: Repeat }
})

const CollectField = part(async () => {
  const [{ CollectField }, { words }] = await Promise.all([
    import('@/cash/CollectField.tsx'),
    import('@/cash/words.ts'),
  ])
  await words()
  return { default: CollectField }
})

/** What is typed there is an amount that may be collected, or nothing is. */
function isAmount(stop: DraftStop, currency: string, max: number): boolean {
  if (!stop.collect?.trim()) return true
  const amount = minorOf(stop.collect, currency)
  return amount !== null && amount > 0 && amount <= max
}
function requestOf(stop: DraftStop, index: number, currency: string): Schemas['BookingRequestStop'] {
  const amount = index > 0 ? minorOf(stop.collect ?? '', currency) : null
  return {
    ...peopleOf(stop),
    ...(stop.proof && { proof: stop.proof.length > 0 ? stop.proof : ['none'] }),
    ...(amount && { collect: { amount, currency } }),
  }
}
function bodyOf(draft: Draft, quote: Schemas['Quote']): Schemas['BookingRequest'] {
  return {
    quote_id: quote.id,
    payment: draft.payment,
    stops: draft.stops.map((stop, index) => requestOf(stop, index, quote.currency)),
    ...(draft.prefer ? { prefer_favourites: true } : {}),
    ...(draft.notes.trim() ? { notes: draft.notes.trim() } : {}),
  }
}

type Props = { quotes: Quotes; onBack: () => void; onBooked: (booking: Schemas['Booking']) => void }
export function ReviewStep({ quotes, onBack, onBooked }: Props) {
  const { t } = useTranslation()
  const [draft, change] = useDraft()
  const now = useNow()
  const client = useQueryClient()
  const quote = quotes.data?.find((q) => q.vehicle === draft.vehicle)
  const book = useMutation({
    mutationFn: (q: Schemas['Quote']) =>
      // A quote can be booked once: with its id in the key a second press finds the first one's booking.
      data(
        api.POST('/v1/bookings', {
          params: { header: { 'Idempotency-Key': `${draft.key}.${q.id}` } },
          body: bodyOf(draft, q),
        }),
      ),
    onSuccess: (booking) => {
      takeBooking(client, booking)
      setDraft(emptyDraft())
      onBooked(booking)
    },
  })
  if (quote === undefined && quotes.isPending) return <Skeleton className="h-16" />
  if (quote === undefined)
    return (
      <div className="grid gap-3">
        <p>{t('book.lapsed')}</p>
        <Button onClick={onBack}>{t('back')}</Button>
      </div>
    )
  const left = Date.parse(quote.expires_at) - now
  const fields = book.error instanceof Problem ? book.error.fields : []
  const faultOf = (index: number, member: string) =>
    fields.find((f) => f.pointer === `/stops/${index}/contact/${member}`)?.detail
  const set = (index: number, part: Partial<DraftStop>) =>
    change({ stops: draft.stops.map((s, i) => (i === index ? { ...s, ...part } : s)) })

  return (
    <form
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (book.isPending) return
        if (draft.stops.slice(1).every((s) => isAmount(s, quote.currency, quotes.collectMax)))
          book.mutate(quote)
        else event.currentTarget.querySelector<HTMLElement>('[aria-invalid]')?.focus()
      }}
    >
      <h1 tabIndex={-1} className="text-lg font-semibold">
        {t('book.review')}
      </h1>
      {quote.pickup_window && (
        <p className="font-medium">
          {t('later.pickup')} <When window={quote.pickup_window} />
        </p>
      )}
      {draft.stops.map((stop, index) => (
        <fieldset key={stop.key} className="grid grid-cols-1 gap-2 sm:grid-cols-2">
          <legend className="mb-1">
            <span className="text-sm text-quiet">{index === 0 ? t('stop.pickup') : t('stop.dropoff')}</span>{' '}
            <bdi>{stop.address}</bdi>
          </legend>
          <Field
            label={t('book.contact')}
            value={stop.contactName}
            autoComplete="off"
            maxLength={100}
            error={faultOf(index, 'name')}
            onChange={(e) => set(index, { contactName: e.target.value })}
          />
          <Field
            label={t('field.phone')}
            type="tel"
            dir="ltr"
            value={stop.contactPhone}
            error={faultOf(index, 'phone')}
            onChange={(e) => set(index, { contactPhone: e.target.value })}
          />
          <Field
            className="sm:col-span-2"
            label={t('book.stopNote')}
            hint={t('book.stopNoteHint')}
            value={stop.note ?? ''}
            autoComplete="off"
            maxLength={300}
            error={fields.find((f) => f.pointer === `/stops/${index}/note`)?.detail}
            onChange={(e) => set(index, { note: e.target.value })}
          />
          <Suspense>
            <ProofChoice
              stop={stop.address}
              chosen={stop.proof}
              onChoose={(proof) => set(index, { proof })}
            />
          </Suspense>
          {index > 0 && (
            <Suspense>
              <CollectField
                value={stop.collect ?? ''}
                currency={quote.currency}
                max={quotes.collectMax}
                refused={fields.some((f) => f.pointer.startsWith(`/stops/${index}/collect`))}
                onChange={(collect) => set(index, { collect })}
              />
            </Suspense>
          )}
        </fieldset>
      ))}
      <Field
        label={t('book.notes')}
        hint={t('book.notesHint')}
        value={draft.notes}
        maxLength={500}
        onChange={(e) => change({ notes: e.target.value })}
      />
      <fieldset className="flex flex-wrap gap-x-4">
        <legend className="text-sm font-medium">{t('book.payment')}</legend>
        {(['cash', 'card', 'invoice'] as const).map((payment) => (
          <label key={payment} className="flex min-h-touch items-center gap-2">
            <input
              type="radio"
              name="payment"
              className="size-5 shrink-0 accent-(--accent)"
              checked={draft.payment === payment}
              onChange={() => change({ payment })}
            />
            {t(`payment.${payment}`)}
          </label>
        ))}
      </fieldset>
      {goodsOf(draft).length > 0 && (
        <p className="text-sm text-quiet">
          {t('parcel.title')}:{' '}
          <bdi>
            {goodsOf(draft)
              .map((g) => g.name)
              .join(', ')}
          </bdi>
        </p>
      )}
      <Suspense>
        <PreferFavourites />
      </Suspense>
      <PriceItems items={quote.items} taxes={quote.taxes} total={quote.total} currency={quote.currency} />
      <Extras terms={quote} currency={quote.currency} />
      {quote.pickup_window && (
        <Suspense>
          <Repeat draft={draft} quote={quote} />
        </Suspense>
      )}
      {left > 0 ? (
        <p className="figures text-sm text-quiet">{t('book.holds', { left: countdown(left) })}</p>
      ) : (
        <div
          role="alert"
          className="flex flex-wrap items-center gap-3 rounded-control border border-waits p-3"
        >
          <span className="grow">{t('book.lapsed')}</span>
          <Button onClick={quotes.again}>{t('book.again')}</Button>
        </div>
      )}
      {isOfPromo(book.error) ? (
        <div role="alert" className="grid justify-items-start gap-2 rounded-control border border-bad p-3">
          <p>{t(`promo.${book.error.kind}`)}</p>
          <Button
            onClick={() => {
              book.reset()
              change({ promo: '' })
            }}
          >
            {t('promo.without')}
          </Button>
        </div>
      ) : (
        book.error !== null && <Failure error={book.error} />
      )}
      <div className="grid grid-cols-[auto_1fr] gap-2">
        <Button onClick={onBack}>{t('back')}</Button>
        <Button kind="primary" type="submit" busy={book.isPending} disabled={left <= 0}>
          {t('book.do', {
            vehicle: t(`vehicle.${quote.vehicle}`),
            price: money(quote.total, quote.currency),
          })}
        </Button>
      </div>
    </form>
  )
}
