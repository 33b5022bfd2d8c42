/** The trip at hand, again and again: on which days, and from what price on one wants to be asked. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { type Draft, emptyDraft, goodsOf, isPlaced, peopleOf, setDraft } from '@/book/draft.ts'
import { minorOf } from '@/cash/amount.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'
import { Weekdays, weekdayOf } from './Weekdays.tsx'

type Props = { draft: Draft; quote: Schemas['Quote'] }
export function Repeat({ draft, quote }: Props) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const client = useQueryClient()
  const [open, setOpen] = useState(false)
  const [chosen, choose] = useState<string[]>(draft.when ? [weekdayOf(draft.when.day)] : [])
  const [limit, setLimit] = useState('')
  const most = minorOf(limit, quote.currency)
  const badLimit = limit.trim() !== '' && !most
  const repeat = useMutation({
    mutationFn: (when: NonNullable<Draft['when']>) =>
      data(
        api.POST('/v1/recurrences', {
          params: { header: { 'Idempotency-Key': `${draft.key}.again` } },
          body: {
            stops: draft.stops.filter(isPlaced).map((stop) => ({
              lat: stop.lat,
              lng: stop.lng,
              ...(stop.address.trim() && { address: stop.address.trim() }),
              ...peopleOf(stop),
            })),
            vehicle: quote.vehicle,
            payment: draft.payment,
            weekdays: chosen,
            pickup: { from: when.from, to: when.to },
            starts_on: when.day,
            ...(goodsOf(draft).length > 0 && { goods: goodsOf(draft) }),
            ...(draft.notes.trim() && { notes: draft.notes.trim() }),
            ...(most && { price_max: most }),
          },
        }),
      ),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['recurrences'] })
      setDraft(emptyDraft())
      navigate('/account/recurring')
    },
  })
  const { when } = draft
  if (when === null) return null
  if (draft.stops.some((s) => s.collect?.trim() || s.proof?.length))
    return <p className="text-sm text-quiet">{t('recurring.notAsked')}</p>
  if (!open) return <Button onClick={() => setOpen(true)}>{t('recurring.repeat')}</Button>
  return (
    <section aria-label={t('recurring.repeat')} className="grid gap-3 rounded-panel border border-line p-3">
      <Weekdays chosen={chosen} onChoose={choose} />
      <Field
        label={t('recurring.limit', { currency: quote.currency })}
        hint={t('recurring.limitHint')}
        value={limit}
        inputMode="decimal"
        autoComplete="off"
        maxLength={20}
        error={badLimit ? t('recurring.badLimit') : undefined}
        onChange={(e) => setLimit(e.target.value)}
      />
      {repeat.error !== null && <Failure error={repeat.error} />}
      <div className="flex flex-wrap gap-2">
        <Button onClick={() => setOpen(false)}>{t('recurring.onlyOnce')}</Button>
        <Button
          kind="primary"
          busy={repeat.isPending}
          disabled={chosen.length === 0 || badLimit}
          onClick={() => repeat.mutate(when)}
        >
          {t('recurring.do')}
        </Button>
      </div>
    </section>
  )
}
