/** What may come on top of a price, and what waiting has come to by now. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { useNow } from '@/app/hooks.ts'
import { duration, money, percent } from '@/i18n/format.ts'
import { waited } from './waiting.ts'

type Terms = Pick<Schemas['Quote'], 'waiting' | 'returns'>

export function Extras({ terms, currency }: { terms: Terms; currency: string }) {
  const { t } = useTranslation()
  const { waiting, returns } = terms
  return (
    <>
      {waiting && (
        <p className="text-sm text-quiet">
          {t('price.waitingTerms', {
            free: duration(waiting.free_minutes * 60),
            money: money(waiting.per_minute, currency),
          })}
        </p>
      )}
      {returns && (
        <p className="text-sm text-quiet">{t('price.returnTerms', { percent: percent(returns.percent) })}</p>
      )}
    </>
  )
}

/** While the driver waits: how long, and what it costs so far. Nothing where nothing was agreed. */
export function Waiting({ booking }: { booking: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const now = useNow(1000)
  const so = waited(booking.waiting, now)
  if (so === null) return null
  const time = duration(so.minutes * 60)
  return (
    <p className="figures text-waits">
      <span aria-hidden>◷ </span>
      {so.paid === 0
        ? t('price.waitingFree', { time, left: duration(so.freeMinutes * 60) })
        : t('price.waitingCosts', { time, money: money(so.amount, booking.price.currency) })}
    </p>
  )
}
