/** Who did what, on what, when, and what changed by it. The server filters; the address says by what. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useSearchParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { day } from '@/i18n/format.ts'
import { Button, Empty, Field, Panel } from '@/ui/index.tsx'
import { usePages } from '@/ui/pages.ts'
import { type Column, Table } from '@/ui/Table.tsx'
import { toast } from '@/ui/toast.tsx'
import { Page } from '../Page.tsx'
import { Who } from '../Who.tsx'
import { csvOf, save } from './csv.ts'

type Entry = Schemas['AuditEntry']
const names = ['actor', 'subject', 'action', 'from', 'until'] as const
type Filter = Partial<Record<(typeof names)[number], string>>

export default function AuditPage() {
  const { t } = useTranslation()
  const [query, setQuery] = useSearchParams()
  const [opened, setOpened] = useState<string | null>(null)
  const filter: Filter = {}
  for (const name of names) {
    const value = query.get(name)
    if (value) filter[name] = value
  }
  const rows = usePages(['audit', filter], (paging) =>
    data(api.GET('/v1/audit', { params: { query: { ...paging, ...asked(filter) } } })),
  )
  const set = (next: Filter) =>
    setQuery((before) => {
      const kept = new URLSearchParams(before)
      for (const name of names) next[name] ? kept.set(name, next[name]) : kept.delete(name)
      return kept
    })
  const one = rows.items.find((e) => e.id === opened)
  const columns: Column<Entry>[] = [
    {
      id: 'action',
      head: t('audit.action'),
      value: (e) => e.action,
      cell: (e) => <bdi dir="ltr">{e.action}</bdi>,
    },
    { id: 'at', head: t('audit.at'), value: (e) => e.at, cell: (e) => day(e.at), width: '11rem' },
    {
      id: 'actor',
      head: t('audit.actor'),
      value: (e) => e.actor_id ?? e.source,
      cell: (e) => (e.actor_id ? <Who id={e.actor_id} /> : t(`audit.sources.${e.source}`)),
      wide: true,
    },
    {
      id: 'subject',
      head: t('audit.subject'),
      value: (e) => e.subject_id,
      cell: (e) => <Who id={e.subject_id} />,
      wide: true,
    },
  ]
  return (
    <Page
      title={t('admin.nav.audit')}
      lead={t('audit.lead')}
      acts={
        <Button disabled={rows.items.length === 0} onClick={() => saveAll(rows.items, t)}>
          {t('audit.csv')}
        </Button>
      }
    >
      <FilterForm key={JSON.stringify(filter)} filter={filter} set={set} />
      <Table
        label={t('admin.nav.audit')}
        columns={columns}
        rows={rows}
        keyOf={(e) => e.id}
        opened={opened}
        onOpen={(e) => setOpened(e.id === opened ? null : e.id)}
        filtered={Object.keys(filter).length > 0}
        onClear={() => set({})}
        empty={<Empty>{t('audit.none')}</Empty>}
      />
      {one && <One entry={one} />}
    </Page>
  )
}

/** As the server wants it: times are moments. */
function asked({ from, until, ...rest }: Filter) {
  const moment = (text: string) => new Date(text).toISOString()
  return { ...rest, ...(from && { from: moment(from) }), ...(until && { until: moment(until) }) }
}

function FilterForm({ filter, set }: { filter: Filter; set: (next: Filter) => void }) {
  const { t } = useTranslation()
  return (
    <form
      className="grid grid-cols-1 items-end gap-3 sm:grid-cols-2 lg:grid-cols-3"
      onSubmit={(event) => {
        event.preventDefault()
        const form = new FormData(event.currentTarget)
        set(Object.fromEntries(names.map((name) => [name, String(form.get(name) ?? '').trim()])))
      }}
    >
      {(['actor', 'subject', 'action'] as const).map((name) => (
        <Field
          key={name}
          label={t(`audit.${name}`)}
          name={name}
          dir="ltr"
          maxLength={96}
          defaultValue={filter[name]}
          placeholder={name === 'action' ? 'user.changed' : 'usr_…'}
        />
      ))}
      {(['from', 'until'] as const).map((name) => (
        <Field
          key={name}
          label={t(`audit.${name}`)}
          name={name}
          type="datetime-local"
          defaultValue={filter[name]}
        />
      ))}
      <div className="flex flex-wrap gap-2">
        <Button kind="primary" type="submit">
          {t('audit.filter')}
        </Button>
        {Object.keys(filter).length > 0 && <Button onClick={() => set({})}>{t('audit.clear')}</Button>}
      </div>
    </form>
  )
}

const shown = (value: unknown) =>
  value === undefined || value === null ? '—' : typeof value === 'string' ? value : JSON.stringify(value)

function One({ entry }: { entry: Entry }) {
  const { t } = useTranslation()
  const before = (entry.before ?? {}) as Record<string, unknown>
  const after = (entry.after ?? {}) as Record<string, unknown>
  const members = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return (
    <Panel className="p-4">
      <section aria-label={t('audit.entry')} className="grid grid-cols-1 gap-3">
        <h2 className="text-lg font-semibold">
          <bdi dir="ltr">{entry.action}</bdi>
        </h2>
        <p className="text-sm text-quiet">
          {day(entry.at)} · {t(`audit.sources.${entry.source}`)}
          {entry.actor_id && (
            <>
              {' · '}
              <Who id={entry.actor_id} />
              {entry.actor_role && ` (${t(`actor.${entry.actor_role}`)})`}
            </>
          )}
          {' → '}
          <Who id={entry.subject_id} />
        </p>
        {entry.reason && <p>{t('audit.reason', { reason: entry.reason })}</p>}
        {members.length === 0 ? (
          <p>{t('audit.noChange')}</p>
        ) : (
          <table className="w-full table-fixed text-sm">
            <caption className="sr-only">{t('audit.entry')}</caption>
            <thead className="text-quiet">
              <tr>
                {(['field', 'before', 'after'] as const).map((head) => (
                  <th key={head} scope="col" className="py-1 text-start font-medium">
                    {t(`audit.${head}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {members.map((member) => (
                <tr key={member} className="border-t border-line align-top">
                  <th scope="row" className="py-2 text-start font-normal wrap-anywhere">
                    <code>{member}</code>
                  </th>
                  <td className="py-2 wrap-anywhere">
                    <bdi>{shown(before[member])}</bdi>
                  </td>
                  <td className="py-2 font-medium wrap-anywhere">
                    <bdi>{shown(after[member])}</bdi>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        <p className="text-xs break-all text-quiet">
          {entry.key_id && (
            <>
              {t('audit.key')} <code>{entry.key_id}</code> ·{' '}
            </>
          )}
          {entry.request_id && (
            <>
              {t('audit.request')} <code>{entry.request_id}</code> ·{' '}
            </>
          )}
          <Link className="text-accent underline" to={`/admin/audit?subject=${entry.subject_id}`}>
            <bdi dir="ltr">{entry.subject_id}</bdi>
          </Link>
        </p>
      </section>
    </Panel>
  )
}

/** What has been read of the list so far; the filter narrows it to what is wanted. */
function saveAll(entries: Entry[], t: ReturnType<typeof useTranslation>['t']): void {
  const head = [
    'at',
    'action',
    'source',
    'actor_id',
    'actor_role',
    'key_id',
    'subject_id',
    'reason',
    'request_id',
  ] as const
  const rows = entries.map((e) => [
    ...head.map((name) => e[name]),
    e.before === null ? null : JSON.stringify(e.before),
    e.after === null ? null : JSON.stringify(e.after),
  ])
  save('audit.csv', csvOf([...head, 'before', 'after'], rows), 'text/csv')
  toast(t('audit.csvDone', { count: entries.length }))
}
