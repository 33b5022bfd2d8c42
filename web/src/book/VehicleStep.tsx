/** Vehicles side by side with what each costs and when it could be there. A price holds until its countdown ends. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { useNow } from '@/app/hooks.ts'
import { countdown, distance, duration, money } from '@/i18n/format.ts'
import { When } from '@/later/When.tsx'
import { Button, cx, Failure, Skeleton } from '@/ui/index.tsx'
import { useDraft } from './draft.ts'
import { Parcel } from './Parcel.tsx'
import { isOfPromo, PromoField } from './PromoField.tsx'
import type { Quotes } from './quotes.ts'

export function VehicleStep({
  quotes,
  onNext,
  onBack,
}: {
  quotes: Quotes
  onNext: () => void
  onBack: () => void
}) {
  const { t } = useTranslation()
  const [draft, change] = useDraft()
  const now = useNow()
  const list = quotes.data ?? []
  const chosen = list.find((q) => q.vehicle === draft.vehicle)
  const first = list[0]
  const left = first ? Date.parse(first.expires_at) - now : 0

  return (
    <div className="grid gap-4">
      <h1 tabIndex={-1} className="text-lg font-semibold">
        {t('book.which')}
      </h1>
      <Parcel unfit={quotes.unfit} />
      <PromoField error={quotes.error} />
      {quotes.error !== null && !isOfPromo(quotes.error) && (
        <Failure error={quotes.error} retry={quotes.again} />
      )}
      {quotes.isPending && [0, 1, 2, 3].map((n) => <Skeleton key={n} className="h-16" />)}
      {first?.pickup_window && (
        <p>
          {t('later.pickup')} <When window={first.pickup_window} />
          {first.surge_applies === false && (
            <span className="block text-sm text-quiet">{t('later.noSurge')}</span>
          )}
        </p>
      )}
      <fieldset className="grid gap-2">
        <legend className="sr-only">{t('book.which')}</legend>
        {list.map((quote) => (
          <VehicleCard
            key={quote.vehicle}
            quote={quote}
            chosen={quote === chosen}
            onChoose={() => change({ vehicle: quote.vehicle })}
          />
        ))}
      </fieldset>
      {first && left > 0 && (
        <p className="figures text-sm text-quiet">{t('book.holds', { left: countdown(left) })}</p>
      )}
      {first && left <= 0 && (
        <div
          role="alert"
          className="flex flex-wrap items-center gap-3 rounded-control border border-waits p-3"
        >
          <span className="grow">{t('book.lapsed')}</span>
          <Button onClick={quotes.again}>{t('book.again')}</Button>
        </div>
      )}
      <div className="grid grid-cols-[auto_1fr] gap-2">
        <Button onClick={onBack}>{t('back')}</Button>
        <Button kind="primary" onClick={onNext} disabled={chosen === undefined || left <= 0}>
          {chosen
            ? t('book.take', {
                vehicle: t(`vehicle.${chosen.vehicle}`),
                price: money(chosen.total, chosen.currency),
              })
            : t('book.choose')}
        </Button>
      </div>
    </div>
  )
}

function VehicleCard({
  quote,
  chosen,
  onChoose,
}: {
  quote: Schemas['Quote']
  chosen: boolean
  onChoose: () => void
}) {
  const { t } = useTranslation()
  return (
    <label
      className={cx(
        'flex min-h-16 items-center gap-3 rounded-panel border p-3 has-focus-visible:outline-2',
        chosen ? 'border-accent' : 'border-line',
      )}
    >
      <input
        type="radio"
        name="vehicle"
        className="size-5 shrink-0 accent-(--accent)"
        checked={chosen}
        onChange={onChoose}
      />
      <span className="grow">
        <span className="block font-medium">{t(`vehicle.${quote.vehicle}`)}</span>
        <span className="block text-sm text-quiet">
          {t(`vehicleHint.${quote.vehicle}`)}
          {quote.surge_applies !== false && (
            <>
              {' · '}
              {quote.pickup_eta_s === null
                ? t('book.nobodyFree')
                : t('book.pickupIn', { time: duration(quote.pickup_eta_s) })}
            </>
          )}
        </span>
        <span className="figures block text-sm text-quiet">
          {t(quote.estimate ? 'book.tripEstimate' : 'book.trip', {
            distance: distance(quote.distance_m),
            duration: duration(quote.duration_s),
          })}
        </span>
        {quote.promo_unfit !== undefined && (
          <span className="block text-sm text-waits">{t('promo.notThis')}</span>
        )}
      </span>
      <span className="figures text-lg font-semibold">{money(quote.total, quote.currency)}</span>
    </label>
  )
}
