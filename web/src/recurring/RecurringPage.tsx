/** What recurs for a customer: when next, what waits for a yes, what was not booked; pausing, skipping, ending. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { Page } from '@/admin/Page.tsx'
import { api, data, type Schemas } from '@/api/client.ts'
import { live } from '@/api/live.ts'
import { date, money } from '@/i18n/format.ts'
import { NoteEditor } from '@/stops/StopNote.tsx'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { ifMatch } from '@/ui/form.tsx'
import { Button, Empty, Failure, Skeleton } from '@/ui/index.tsx'
import { noted } from './noted.ts'
import { nameOf } from './Weekdays.tsx'

type Recurrence = Schemas['Recurrence']
type Occurrence = Recurrence['occurrences'][number]

export default function RecurringPage() {
  const { t } = useTranslation()
  const client = useQueryClient()
  useEffect(() => {
    const again = () => void client.invalidateQueries({ queryKey: ['recurrences'] })
    return live.listen({ entry: (entry) => entry.type === 'recurrence.updated' && again(), gap: again })
  }, [client])
  const list = useQuery({
    queryKey: ['recurrences'],
    queryFn: () => data(api.GET('/v1/recurrences', { params: { query: { limit: 100 } } })),
  })
  return (
    <Page title={t('recurring.title')} lead={t('recurring.lead')}>
      {list.isPending && <Skeleton className="h-24" />}
      {list.error && <Failure error={list.error} retry={() => void list.refetch()} />}
      {list.data?.items.length === 0 && (
        <Empty
          action={
            <Button kind="primary" asChild>
              <Link to="/book">{t('recurring.first')}</Link>
            </Button>
          }
        >
          {t('recurring.none')}
        </Empty>
      )}
      <ul aria-label={t('recurring.title')} className="grid grid-cols-1 gap-3">
        {list.data?.items.map((it) => (
          <One key={it.id} it={it} />
        ))}
      </ul>
    </Page>
  )
}

type Act =
  | 'pause'
  | 'resume'
  | 'end'
  | { skip: string }
  | { unskip: string }
  | { book: string; total?: number }
async function done(it: Recurrence, act: Act): Promise<unknown> {
  const params = { path: { id: it.id } }
  if (act === 'end') return api.DELETE('/v1/recurrences/{id}', { params })
  if (act === 'pause' || act === 'resume')
    return data(api.PATCH('/v1/recurrences/{id}', { params, body: { paused: act === 'pause' } }))
  if ('skip' in act) return data(api.POST('/v1/recurrences/{id}/skip', { params, body: { date: act.skip } }))
  if ('unskip' in act)
    return data(api.POST('/v1/recurrences/{id}/unskip', { params, body: { date: act.unskip } }))
  const { book, total } = act
  const body = { date: book, ...(total !== undefined && { total }) }
  return data(api.POST('/v1/recurrences/{id}/book', { params, body }))
}

function One({ it }: { it: Recurrence }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const act = useMutation({
    mutationFn: (what: Act) => done(it, what),
    onSettled: () => client.invalidateQueries({ queryKey: ['recurrences'] }),
  })
  const ways = it.stops.map((s) => s.address ?? `${s.lat}, ${s.lng}`)
  const over = it.state === 'ended'
  const ahead = it.occurrences.filter((o) => o.state !== 'skipped' && Date.parse(o.to) > Date.now())
  return (
    <li className="grid gap-3 rounded-panel border border-line bg-panel p-3">
      <div>
        <h2 className="font-semibold">
          <bdi>{it.name ?? `${ways[0]} → ${ways.at(-1)}`}</bdi>
        </h2>
        <p>
          {it.weekdays.map((w) => nameOf(w, 'short')).join(', ')} ·{' '}
          <bdi>{`${it.pickup.from}–${it.pickup.to}`}</bdi>
          {it.every_weeks > 1 && ` · ${t('recurring.everyWeeks', { number: it.every_weeks })}`}
        </p>
        <p className="text-sm text-quiet">
          {t(`recurring.state.${it.state}`)}
          {it.next_on && ` · ${t('recurring.next', { date: date(it.next_on) })}`}
          {it.ends_on && ` · ${t('recurring.until', { date: date(it.ends_on) })}`}
        </p>
        {it.paused_reason !== null && <p className="text-sm">{t('recurring.stopped')}</p>}
      </div>
      <Stops it={it} />
      {act.error !== null && <Failure error={act.error} />}
      <ul aria-label={t('recurring.ahead')} className="grid gap-2">
        {ahead.map((o) => (
          <Day
            key={o.date}
            o={o}
            currency={it.currency}
            over={over}
            busy={act.isPending}
            onAct={act.mutate}
          />
        ))}
        {it.skips.map((day) => (
          <li key={day} className="flex flex-wrap items-center gap-x-3 text-sm">
            <span className="grow">
              {date(day)} · {t('recurring.day.skipped')}
            </span>
            {!over && (
              <Button busy={act.isPending} onClick={() => act.mutate({ unskip: day })}>
                {t('recurring.unskip')}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {!over && (
        <div className="flex flex-wrap gap-2">
          <Button busy={act.isPending} onClick={() => act.mutate(it.state === 'paused' ? 'resume' : 'pause')}>
            {t(it.state === 'paused' ? 'recurring.resume' : 'recurring.pause')}
          </Button>
          {it.next_on && (
            <Button busy={act.isPending} onClick={() => act.mutate({ skip: it.next_on as string })}>
              {t('recurring.skip', { date: date(it.next_on) })}
            </Button>
          )}
          <ConfirmButton
            label={t('recurring.end')}
            title={t('recurring.endTitle')}
            text={t('recurring.endText')}
            action={t('recurring.end')}
            onConfirm={() => act.mutateAsync('end')}
          />
        </div>
      )}
    </li>
  )
}

/** Where it goes, and what is to be known there; what is changed holds for the days that are not booked yet. */
function Stops({ it }: { it: Recurrence }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  async function save(index: number, note: string) {
    await data(
      api.PATCH('/v1/recurrences/{id}', {
        params: { path: { id: it.id }, header: ifMatch(it.version) },
        body: { stops: noted(it.stops, index, note) },
      }),
    )
    await client.invalidateQueries({ queryKey: ['recurrences'] })
  }
  return (
    <details>
      <summary className="min-h-compact content-center text-sm font-medium">{t('recurring.stops')}</summary>
      <ol aria-label={t('recurring.stops')} className="grid gap-2">
        {it.stops.map((stop, i) => {
          const place = stop.address ?? `${stop.lat}, ${stop.lng}`
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a stop here is its number
            <li key={i}>
              <bdi>{place}</bdi>
              <NoteEditor
                note={stop.note ?? ''}
                place={place}
                changes={it.state !== 'ended'}
                onSave={(note) => save(i, note)}
              />
            </li>
          )
        })}
      </ol>
    </details>
  )
}

type DayProps = {
  o: Occurrence
  currency: string | null
  over: boolean
  busy: boolean
  onAct: (what: Act) => void
}
function Day({ o, currency, over, busy, onAct }: DayProps) {
  const { t } = useTranslation()
  const price = o.total !== null && currency !== null ? money(o.total, currency) : null
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
      <span className={o.state === 'booked' ? 'grow' : 'grow text-bad'}>
        {date(o.date)} · {t(`recurring.day.${o.state}`)}
        {o.reason && ` · ${t(`recurring.reason.${o.reason}`)}`}
        {price && <span className="figures"> · {price}</span>}
      </span>
      {o.booking_id && (
        <Link className="min-h-compact text-accent underline" to={`/book/${o.booking_id}`}>
          {t('recurring.open', { date: date(o.date) })}
        </Link>
      )}
      {o.state === 'held' && !over && (
        <Button
          kind="primary"
          busy={busy}
          onClick={() => onAct({ book: o.date, ...(o.total !== null && { total: o.total }) })}
        >
          {t('recurring.yes', { date: date(o.date) })}
        </Button>
      )}
      {o.state === 'failed' && !over && (
        <Button busy={busy} onClick={() => onAct({ book: o.date })}>
          {t('recurring.again', { date: date(o.date) })}
        </Button>
      )}
      {o.state !== 'booked' && !over && (
        <Button busy={busy} onClick={() => onAct({ skip: o.date })}>
          {t('recurring.no', { date: date(o.date) })}
        </Button>
      )}
    </li>
  )
}
