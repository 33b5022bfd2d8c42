/** Reports: what was asked for stands in the address; a chart of one column, and all of them as a table and as a file. */
import { useQuery } from '@tanstack/react-query'
import { useCallback, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { date, duration, money, number, percent } from '@/i18n/format.ts'
import { Button, Empty, Failure, Field, Skeleton } from '@/ui/index.tsx'
import { allRows } from '@/ui/pages.ts'
import { type Column, Table } from '@/ui/Table.tsx'
import { Page } from '../Page.tsx'
import { Chart } from './Chart.tsx'
import { isDate, rangeOf, spanOf, spans } from './range.ts'

type Report = Schemas['Report']
type Row = Report['items'][number]
const names = [
  'bookings',
  'on-time',
  'acceptance',
  'utilisation',
  'revenue',
  'cancellations',
  'earnings',
  'ratings',
] as const
const bys = ['day', 'hour', 'zone', 'class', 'driver'] as const
const unzoned = new Set<string>(['utilisation', 'earnings'])
const DRIVERS_MAX = 200 // who are named

/** What the address asks for; what it says wrong, it does not say. */
function useAsked() {
  const [query, setQuery] = useSearchParams()
  const name = names.find((n) => n === query.get('report')) ?? 'bookings'
  const by = bys.find((b) => b === query.get('by') && !(b === 'zone' && unzoned.has(name))) ?? 'day'
  const [from, to] = [query.get('from'), query.get('to')]
  const set = (changes: Record<string, string>) =>
    setQuery(
      (before) => {
        const next = new URLSearchParams(before)
        for (const [key, value] of Object.entries(changes)) value ? next.set(key, value) : next.delete(key)
        return next
      },
      { replace: true },
    )
  const params = {
    path: { name },
    query: {
      by,
      ...(isDate(from) && { from }),
      ...(isDate(to) && { to }),
      ...(query.get('compare') === 'previous' && { compare: 'previous' as const }),
    },
  }
  return { name, by, params, set, column: query.get('column') }
}

export default function ReportsPage() {
  const { t } = useTranslation()
  const asked = useAsked()
  const report = useQuery({
    queryKey: ['report', asked.params],
    // As JSON: the other is a text.
    queryFn: () => data(api.GET('/v1/reports/{name}', { params: asked.params })) as Promise<Report>,
    placeholderData: (before) => before,
  })
  const shown = report.data?.report === asked.name && report.data.by === asked.by ? report.data : undefined
  return (
    <Page
      title={t('admin.nav.reports')}
      acts={<Download asked={asked} />}
      lead={shown && t('reports.zone', { zone: shown.timezone })}
    >
      <Choices asked={asked} report={report.data} />
      {report.error ? (
        <Failure error={report.error} retry={() => void report.refetch()} />
      ) : shown === undefined ? (
        <Skeleton className="h-64" />
      ) : (
        <Result report={shown} asked={asked} />
      )}
    </Page>
  )
}

type Asked = ReturnType<typeof useAsked>
const box = 'min-h-touch rounded-control border border-line bg-panel px-3'

function Choices({ asked, report }: { asked: Asked; report: Report | undefined }) {
  const { t } = useTranslation()
  const span = report ? spanOf(report) : null
  // The last day is the server's today, where none was asked for.
  const today = asked.params.query.to === undefined ? report?.to : undefined
  const choose = (value: string) => {
    const chosen = spans.find((s) => s === value)
    const to = today ?? report?.to
    if (chosen && to) asked.set(rangeOf(chosen, to))
  }
  return (
    <div className="flex flex-wrap items-end gap-3">
      <Select
        label={t('reports.report')}
        value={asked.name}
        onChange={(report) => asked.set({ report, column: '' })}
      >
        {names.map((n) => (
          <option key={n} value={n}>
            {t(`reports.names.${n}`)}
          </option>
        ))}
      </Select>
      <Select label={t('reports.by')} value={asked.by} onChange={(by) => asked.set({ by })}>
        {bys
          .filter((b) => b !== 'zone' || !unzoned.has(asked.name))
          .map((b) => (
            <option key={b} value={b}>
              {t(`reports.bys.${b}`)}
            </option>
          ))}
      </Select>
      <Select label={t('reports.span')} value={span ?? ''} onChange={choose}>
        {span === null && <option value="">{t('reports.own')}</option>}
        {spans.map((s) => (
          <option key={s} value={s}>
            {t(`reports.spans.${s}`)}
          </option>
        ))}
      </Select>
      <Field
        label={t('reports.from')}
        type="date"
        value={report?.from ?? ''}
        max={report?.to}
        onChange={(event) =>
          isDate(event.target.value) && report && asked.set({ from: event.target.value, to: report.to })
        }
      />
      <Field
        label={t('reports.to')}
        type="date"
        value={report?.to ?? ''}
        min={report?.from}
        onChange={(event) =>
          isDate(event.target.value) && report && asked.set({ to: event.target.value, from: report.from })
        }
      />
      <label className="flex min-h-touch items-center gap-2">
        <input
          type="checkbox"
          className="size-5 accent-accent"
          checked={asked.params.query.compare === 'previous'}
          onChange={(event) => asked.set({ compare: event.target.checked ? 'previous' : '' })}
        />
        {t('reports.compare')}
      </label>
    </div>
  )
}

type SelectProps = {
  label: string
  value: string
  onChange: (value: string) => void
  children: React.ReactNode
}
function Select({ label, value, onChange, children }: SelectProps) {
  return (
    <label className="grid gap-1 text-sm font-medium">
      {label}
      <select
        className={`${box} text-md font-normal`}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      >
        {children}
      </select>
    </label>
  )
}

/** The same as a file. */
function Download({ asked }: { asked: Asked }) {
  const { t } = useTranslation()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const fetchFile = async () => {
    setBusy(true)
    setError(null)
    try {
      const query = { ...asked.params.query, format: 'csv' as const }
      const { data: file, response } = await api.GET('/v1/reports/{name}', {
        params: { ...asked.params, query },
        parseAs: 'blob',
      })
      const link = document.createElement('a')
      link.href = URL.createObjectURL(file as unknown as Blob)
      const named = /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '')
      link.download = named?.[1] ?? `${asked.name}.csv`
      link.click()
      URL.revokeObjectURL(link.href)
    } catch (failure) {
      setError(failure)
    }
    setBusy(false)
  }
  return (
    <>
      {error !== null && <Failure error={error} />}
      <Button busy={busy} onClick={() => void fetchFile()}>
        {t('reports.csv')}
      </Button>
    </>
  )
}

/** How a value of UNIT is written; a dash where there was nothing to divide by. */
function useWriter(currency: string) {
  const { t } = useTranslation()
  return useCallback(
    (unit: Report['columns'][number]['unit'], value: number | null | undefined) => {
      if (value == null) return t('reports.nothing')
      if (unit === 'money') return money(Math.round(value), currency)
      if (unit === 'seconds') return value === 0 ? number(0) : duration(value)
      if (unit === 'ratio') return percent(value * 100)
      return number(value, unit === 'stars' ? 2 : 0)
    },
    [t, currency],
  )
}

/** Drivers by name, as far as the list goes. */
function useDrivers(wanted: boolean) {
  const drivers = useQuery({
    queryKey: ['drivers', 'names'],
    enabled: wanted,
    queryFn: () => data(api.GET('/v1/drivers', { params: { query: { limit: DRIVERS_MAX } } })),
  })
  return useMemo(() => new Map(drivers.data?.items.map((d) => [d.id, d.name])), [drivers.data])
}

function Result({ report, asked }: { report: Report; asked: Asked }) {
  const { t } = useTranslation()
  const write = useWriter(report.currency)
  const drivers = useDrivers(report.by === 'driver')
  const column = report.columns.find((c) => c.name === asked.column) ?? report.columns[0]
  const keyName = useCallback(
    (key: string) => {
      if (report.by === 'hour') return `${key}:00`
      if (report.by === 'zone') return key === '' ? t('reports.outside') : key
      if (report.by === 'class') return t(`vehicle.${key}`)
      if (report.by === 'driver') return drivers.get(key) ?? key
      return date(key)
    },
    [report.by, drivers, t],
  )
  const rows = report.items
  const keys = useMemo(
    () => rows.map((r) => (report.by === 'day' ? r.key.slice(5) : keyName(r.key))),
    [rows, report.by, keyName],
  )
  const chosen = column?.name ?? ''
  const unit = column?.unit ?? 'count'
  const values = useMemo(() => rows.map((r) => r.values[chosen] ?? null), [rows, chosen])
  const previous = useMemo(
    () => (report.previous ? rows.map((r) => r.previous?.[chosen] ?? null) : null),
    [rows, report.previous, chosen],
  )
  const words = useMemo(() => ({ now: t('reports.now'), before: t('reports.before') }), [t])
  const show = useCallback((value: number) => write(unit, value), [write, unit])
  const nothing =
    Object.values({ ...report.totals }).every((v) => !v) &&
    Object.values({ ...report.previous?.totals }).every((v) => !v)
  if (nothing || column === undefined) return <Empty>{t('reports.empty')}</Empty>
  const columnName = (name: string) => t(`reports.columns.${name}`)
  return (
    <>
      <Totals report={report} write={write} />
      <figure className="grid grid-cols-1 gap-2 rounded-panel border border-line bg-panel p-3">
        <figcaption>
          <Select label={t('reports.chart')} value={chosen} onChange={(name) => asked.set({ column: name })}>
            {report.columns.map((c) => (
              <option key={c.name} value={c.name}>
                {columnName(c.name)}
              </option>
            ))}
          </Select>
        </figcaption>
        <Chart
          label={t('reports.picture', { what: columnName(chosen) })}
          keys={keys}
          values={values}
          previous={previous}
          names={words}
          show={show}
        />
      </figure>
      <Table
        label={t('reports.table', { what: t(`reports.names.${asked.name}`) })}
        rows={allRows(rows)}
        keyOf={(r) => r.key}
        columns={tableColumns(report, t(`reports.bys.${report.by}`), keyName, columnName, write)}
        empty={<Empty>{t('reports.empty')}</Empty>}
      />
    </>
  )
}

type Write = ReturnType<typeof useWriter>
/** On a phone the first two columns of values; the file and a wider screen have all. */
function tableColumns(
  report: Report,
  keyHead: string,
  keyName: (key: string) => string,
  columnName: (name: string) => string,
  write: Write,
): Column<Row>[] {
  return [
    { id: 'key', head: keyHead, value: (r) => r.key, cell: (r) => <bdi>{keyName(r.key)}</bdi> },
    ...report.columns.map(
      (c, at): Column<Row> => ({
        id: c.name,
        head: columnName(c.name),
        value: (r) => r.values[c.name] ?? null,
        cell: (r) => <bdi>{write(c.unit, r.values[c.name])}</bdi>,
        numeric: true,
        wide: at > 1,
      }),
    ),
  ]
}

function Totals({ report, write }: { report: Report; write: Write }) {
  const { t } = useTranslation()
  return (
    <dl className="grid grid-cols-2 gap-2 sm:grid-cols-3 lg:grid-cols-6">
      {report.columns.map((c) => (
        <div key={c.name} className="rounded-panel border border-line bg-panel p-3">
          <dt className="text-sm text-quiet">{t(`reports.columns.${c.name}`)}</dt>
          <dd className="figures text-lg font-semibold">
            <bdi>{write(c.unit, report.totals[c.name])}</bdi>
          </dd>
          {report.previous && (
            <dd className="figures text-sm text-quiet">
              {t('reports.was', { value: write(c.unit, report.previous.totals[c.name]) })}
            </dd>
          )}
        </div>
      ))}
    </dl>
  )
}
