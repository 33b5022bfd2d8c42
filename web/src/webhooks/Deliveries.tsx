/** What was sent, how it went, and once more by hand. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useSearchParams } from 'react-router'
import { Page } from '@/admin/Page.tsx'
import { Who } from '@/admin/Who.tsx'
import { api, data, type Schemas } from '@/api/client.ts'
import { clock, day, number } from '@/i18n/format.ts'
import { Button, Empty, Failure, Panel } from '@/ui/index.tsx'
import { type Rows, usePages } from '@/ui/pages.ts'
import { type Column, Table } from '@/ui/Table.tsx'
import { toast } from '@/ui/toast.tsx'

type Delivery = Schemas['Delivery']
const states = ['pending', 'sent', 'dead'] as const
const marks = { pending: '◌', sent: '✓', dead: '✕' } as const
const looks = { pending: 'text-waits', sent: 'text-good', dead: 'text-bad' } as const

/** All that leaves the house, without addresses and contents. */
export function AllDeliveries() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [query] = useSearchParams()
  const state = states.find((s) => s === query.get('state'))
  const rows = usePages(['deliveries', state ?? 'all'], (paging) =>
    data(api.GET('/v1/deliveries', { params: { query: { ...paging, ...(state && { state }) } } })),
  )
  return (
    <Page
      title={t('webhooks.allOut')}
      lead={t('webhooks.allOutMore')}
      acts={
        <Button kind="quiet" asChild>
          <Link to="..">{t('webhooks.all')}</Link>
        </Button>
      }
    >
      <Deliveries
        rows={rows}
        title={t('webhooks.allOut')}
        byServer
        onRetried={() => void client.invalidateQueries({ queryKey: ['deliveries'] })}
      />
    </Page>
  )
}

type Props = { rows: Rows<Delivery>; title: string; byServer?: boolean; onRetried: () => void }
/** BYSERVER: ROWS are of the state that the address names already. */
export function Deliveries({ rows, title, byServer = false, onRetried }: Props) {
  const { t } = useTranslation()
  const [query, setQuery] = useSearchParams()
  const state = states.find((s) => s === query.get('state'))
  const [opened, setOpened] = useState<string | null>(null)
  const setState = (value: string) =>
    setQuery(
      (before) => {
        const next = new URLSearchParams(before)
        value ? next.set('state', value) : next.delete('state')
        return next
      },
      { replace: true },
    )
  const shown = byServer || !state ? rows : { ...rows, items: rows.items.filter((d) => d.state === state) }
  const one = rows.items.find((d) => d.id === opened)
  const columns: Column<Delivery>[] = [
    {
      id: 'kind',
      head: t('webhooks.kind'),
      value: (d) => d.kind,
      cell: (d) => <bdi dir="ltr">{d.kind}</bdi>,
    },
    {
      id: 'state',
      head: t('webhooks.went'),
      value: (d) => t(`webhooks.delivery.${d.state}`),
      cell: (d) => (
        <span className={looks[d.state]}>
          <span aria-hidden>{marks[d.state]}</span> {t(`webhooks.delivery.${d.state}`)}
        </span>
      ),
      width: '8rem',
    },
    {
      id: 'at',
      head: t('webhooks.at'),
      value: (d) => d.created_at,
      cell: (d) => day(d.created_at),
      wide: true,
    },
    {
      id: 'tries',
      head: t('webhooks.tries'),
      value: (d) => d.tries,
      cell: (d) => number(d.tries),
      numeric: true,
      wide: true,
      width: '6rem',
    },
    ...(byServer
      ? [
          {
            id: 'channel',
            head: t('webhooks.channel'),
            value: (d: Delivery) => d.channel,
            cell: (d: Delivery) => t(`webhooks.by.${d.channel}`),
            wide: true,
            width: '8rem',
          },
        ]
      : []),
  ]
  return (
    <div className="grid grid-cols-1 gap-3">
      {!byServer && <h2 className="text-lg font-semibold">{title}</h2>}
      <Table
        label={title}
        columns={columns}
        rows={shown}
        keyOf={(d) => d.id}
        opened={opened}
        onOpen={(d) => setOpened(d.id === opened ? null : d.id)}
        filtered={state !== undefined}
        whole={!byServer && state !== undefined}
        onClear={() => setState('')}
        filters={
          <>
            <select
              aria-label={t('webhooks.went')}
              className="min-h-touch rounded-control border border-line bg-panel px-3"
              value={state ?? ''}
              onChange={(event) => setState(event.target.value)}
            >
              <option value="">{t('webhooks.delivery.all')}</option>
              {states.map((s) => (
                <option key={s} value={s}>
                  {t(`webhooks.delivery.${s}`)}
                </option>
              ))}
            </select>
            <Button onClick={rows.retry}>{t('webhooks.look')}</Button>
          </>
        }
        empty={<Empty>{t('webhooks.nothingSent')}</Empty>}
      />
      {one && <One delivery={one} onRetried={onRetried} />}
    </div>
  )
}

function One({ delivery, onRetried }: { delivery: Delivery; onRetried: () => void }) {
  const { t } = useTranslation()
  const retry = useMutation({
    mutationFn: () => api.POST('/v1/deliveries/{id}/retry', { params: { path: { id: delivery.id } } }),
    onSuccess: () => {
      toast(t('webhooks.again'))
      onRetried()
    },
  })
  return (
    <Panel className="grid grid-cols-1 gap-3 p-4">
      <h3 className="font-semibold break-all">
        <bdi dir="ltr">{delivery.kind}</bdi> · <bdi dir="ltr">{delivery.id}</bdi>
      </h3>
      <p className="text-sm text-quiet">
        {t(`webhooks.by.${delivery.channel}`)} · {day(delivery.created_at)} · <Who id={delivery.user_id} />
        {delivery.state === 'pending' && delivery.next_try_at && (
          <> · {t('webhooks.nextTry', { at: clock(delivery.next_try_at) })}</>
        )}
      </p>
      {delivery.log.length === 0 && <p>{t('webhooks.noTries')}</p>}
      <ol className="grid grid-cols-1 gap-2">
        {delivery.log.map((entry) => (
          <li key={entry.at} className="border-s-2 border-line ps-3 text-sm">
            <p className="figures">
              {day(entry.at)} · {entry.status ? number(entry.status) : t('webhooks.noAnswer')}
              {entry.latency_ms !== undefined && <> · {number(entry.latency_ms)} ms</>}
            </p>
            {entry.detail && (
              <p>
                <bdi>{entry.detail}</bdi>
              </p>
            )}
            {entry.excerpt && (
              <code className="block break-all whitespace-pre-wrap text-quiet" dir="ltr">
                {entry.excerpt}
              </code>
            )}
          </li>
        ))}
      </ol>
      {retry.error !== null && <Failure error={retry.error} />}
      <div>
        <Button busy={retry.isPending} onClick={() => retry.mutate()}>
          {t('webhooks.retry')}
        </Button>
      </div>
    </Panel>
  )
}
