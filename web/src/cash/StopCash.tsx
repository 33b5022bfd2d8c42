/** What is to be taken in cash at the stop that the driver is at: large, and confirmed. Offline it is what was known last,
 * without what has been waited since. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { outbox } from '@/drive/outbox.ts'
import { money } from '@/i18n/format.ts'
import { Button, Field } from '@/ui/index.tsx'
import { minorOf } from './amount.ts'

/** What is due there, or null: nothing is. */
export function cashAt(stop: Schemas['Stop'] | undefined): Schemas['StopCash'] | null {
  const cash = stop?.cash
  return cash && cash.due > 0 ? cash : null
}
/** Nothing else can be done before it was said. */
export function mustConfirm(stop: Schemas['Stop'] | undefined): boolean {
  const cash = cashAt(stop)
  return (
    stop?.state === 'arrived' &&
    cash !== null &&
    (cash.collected === null ? cash.goods > 0 : cash.collected < cash.due && !cash.reason)
  )
}

type Props = { job: Schemas['Booking']; stop: Schemas['Stop']; unsent: number }
export function StopCash({ job, stop, unsent }: Props) {
  const { t } = useTranslation()
  const cash = cashAt(stop)
  const here = stop.state === 'arrived'
  const now = useQuery({
    queryKey: ['bookings', 'collection', job.id],
    queryFn: () => data(api.GET('/v1/bookings/{id}/collection', { params: { path: { id: job.id } } })),
    enabled: here && cash !== null && cash.collected === null && unsent === 0,
    refetchInterval: 30_000,
  })
  if (cash === null) return null
  const due = now.data?.stops.find((s) => s.stop === stop.index)?.due ?? cash.due
  return (
    <section aria-label={t('cash.title')} className="grid gap-2 rounded-panel border border-waits p-3">
      <h2 className="text-sm text-quiet">{t('cash.title')}</h2>
      <p className="figures text-xl font-bold">{money(due, cash.currency)}</p>
      {cash.goods > 0 && cash.fare > 0 && (
        <p className="figures text-sm text-quiet">
          {t('cash.parts', {
            goods: money(cash.goods, cash.currency),
            fare: money(due - cash.goods, cash.currency),
          })}
        </p>
      )}
      {cash.collected !== null && (
        <p role="status" className="figures text-going">
          ✓ {t('cash.taken', { money: money(cash.collected, cash.currency) })}
        </p>
      )}
      {here && <Say job={job} stop={stop} due={due} cash={cash} />}
    </section>
  )
}

type SayProps = { job: Schemas['Booking']; stop: Schemas['Stop']; due: number; cash: Schemas['StopCash'] }
function Say({ job, stop, due, cash }: SayProps) {
  const { t } = useTranslation()
  const [less, setLess] = useState(false)
  const [text, setText] = useState('')
  const [reason, setReason] = useState('')
  const amount = minorOf(text, cash.currency)
  const said = cash.collected !== null
  function give(sum: number, why?: string) {
    void outbox.collect(job, stop.index, sum, why)
    setLess(false)
  }
  if (!less)
    return (
      <div className="grid gap-2">
        {!said && (
          <Button kind="primary" size="drive" onClick={() => give(due)}>
            {t('cash.all', { money: money(due, cash.currency) })}
          </Button>
        )}
        <Button kind="quiet" size="drive" onClick={() => setLess(true)}>
          {t(said ? 'cash.again' : 'cash.less')}
        </Button>
      </div>
    )
  return (
    <form
      aria-label={t('cash.less')}
      className="grid gap-3"
      onSubmit={(e) => {
        e.preventDefault()
        if (amount !== null && amount <= due && reason.trim() !== '') give(amount, reason.trim())
      }}
    >
      <Field
        size="drive"
        label={t('cash.howMuch', { currency: cash.currency })}
        value={text}
        inputMode="decimal"
        autoComplete="off"
        maxLength={20}
        error={
          text.trim() !== '' && (amount === null || amount > due)
            ? t('cash.atMost', { money: money(due, cash.currency) })
            : undefined
        }
        onChange={(e) => setText(e.target.value)}
      />
      <Field
        size="drive"
        label={t('cash.why')}
        value={reason}
        autoComplete="off"
        maxLength={500}
        onChange={(e) => setReason(e.target.value)}
      />
      <div className="grid grid-cols-2 gap-2">
        <Button
          kind="primary"
          size="drive"
          type="submit"
          disabled={amount === null || amount > due || reason.trim() === ''}
        >
          {t('cash.say')}
        </Button>
        <Button kind="quiet" size="drive" onClick={() => setLess(false)}>
          {t('back')}
        </Button>
      </div>
    </form>
  )
}
