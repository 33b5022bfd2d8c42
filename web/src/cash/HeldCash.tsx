/** What a driver holds, what he is owed for it, and the last that was settled. */
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { day, money } from '@/i18n/format.ts'
import { Failure, Skeleton } from '@/ui/index.tsx'

const SHOWN_MAX = 10
const held = (lines: { account: string; amount: number }[]) =>
  lines.find((l) => l.account === 'held')?.amount ?? 0

export function HeldCash() {
  const { t } = useTranslation()
  const cash = useQuery({
    queryKey: ['bookings', 'cash'], // anew whenever a booking changes
    queryFn: () => data(api.GET('/v1/driver/cash')),
  })
  const entries = useQuery({
    queryKey: ['bookings', 'cash', 'entries'],
    queryFn: () =>
      data(api.GET('/v1/driver/cash/entries', { params: { query: { limit: SHOWN_MAX } } })) as Promise<
        Schemas['CashEntries']
      >,
  })
  if (cash.error) return <Failure size="drive" error={cash.error} retry={() => void cash.refetch()} />
  if (cash.data === undefined) return <Skeleton className="h-32" />
  const c = cash.data
  return (
    <section aria-label={t('cash.held')} className="grid gap-2 rounded-panel border border-line bg-panel p-4">
      <h2 className="text-sm text-quiet">{t('cash.held')}</h2>
      <p className="figures text-xl font-semibold">{money(c.cash_held, c.currency)}</p>
      <p className="figures text-quiet">{t('cash.owed', { money: money(c.earnings_owed, c.currency) })}</p>
      {c.limit !== null && (
        <p className={c.limit_reached ? 'text-waits' : 'text-quiet'}>
          {t(c.limit_reached ? 'cash.limitReached' : 'cash.limit', { money: money(c.limit, c.currency) })}
        </p>
      )}
      <ul className="grid gap-1">
        {entries.data?.items.map((e) => (
          <li key={e.id} className="figures flex flex-wrap justify-between gap-x-3 text-sm">
            <span>
              {t(`cash.kind.${e.kind}`)} <span className="text-quiet">{day(e.at)}</span>
            </span>
            <span>{money(held(e.lines), e.currency)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
