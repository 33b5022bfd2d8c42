/** All drivers: who waits for approval, whose documents wait to be looked at; and one of them with all he has shown. */
import { useTranslation } from 'react-i18next'
import { Route, Routes, useNavigate, useSearchParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { Empty } from '@/ui/index.tsx'
import { usePages } from '@/ui/pages.ts'
import { type Column, Table } from '@/ui/Table.tsx'
import { Page } from '../Page.tsx'
import { DriverPage } from './DriverPage.tsx'

type Driver = Schemas['Driver']
const states = ['pending', 'approved', 'suspended'] as const

export default function DriversPage() {
  return (
    <Routes>
      <Route index element={<List />} />
      <Route path=":id" element={<DriverPage />} />
    </Routes>
  )
}

function List() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [query, setQuery] = useSearchParams()
  const status = states.find((s) => s === query.get('status'))
  const waiting = query.get('waiting') === '1'
  const all = usePages(['drivers', status ?? 'all'], (paging) =>
    data(api.GET('/v1/drivers', { params: { query: { ...paging, ...(status && { status }) } } })),
  )
  const rows = waiting ? { ...all, items: all.items.filter((d) => d.documents_waiting > 0) } : all
  const set = (name: string, value: string) =>
    setQuery(
      (before) => {
        const next = new URLSearchParams(before)
        value ? next.set(name, value) : next.delete(name)
        return next
      },
      { replace: true },
    )
  const name = (d: Driver) => d.name ?? '—'
  const vehicle = (d: Driver) => (d.vehicle ? `${t(`vehicle.${d.vehicle.class}`)} ${d.vehicle.plate}` : '—')
  const papers = (d: Driver) =>
    d.documents_waiting > 0 ? t('papers.waiting', { count: d.documents_waiting }) : '—'
  const columns: Column<Driver>[] = [
    { id: 'name', head: t('field.name'), value: name, cell: (d) => <bdi>{name(d)}</bdi> },
    {
      id: 'status',
      head: t('papers.status'),
      value: (d) => t(`papers.driver.${d.status}`),
      cell: (d) => t(`papers.driver.${d.status}`),
      width: '9rem',
    },
    { id: 'papers', head: t('papers.documents'), value: papers, cell: papers, width: '9rem', wide: true },
    {
      id: 'vehicle',
      head: t('papers.vehicle'),
      value: vehicle,
      cell: (d) => <bdi>{vehicle(d)}</bdi>,
      wide: true,
    },
    {
      id: 'phone',
      head: t('field.phone'),
      value: (d) => d.phone ?? '',
      cell: (d) => <bdi dir="ltr">{d.phone ?? '—'}</bdi>,
      wide: true,
      width: '10rem',
    },
  ]
  return (
    <Page title={t('papers.section')}>
      <Table
        label={t('papers.section')}
        columns={columns}
        rows={rows}
        keyOf={(d) => d.id}
        onOpen={(d) => navigate(d.id)}
        search={t('papers.search')}
        filtered={status !== undefined || waiting}
        onClear={() => setQuery({}, { replace: true })}
        filters={
          <>
            <select
              aria-label={t('papers.status')}
              className="min-h-touch rounded-control border border-line bg-panel px-3"
              value={status ?? ''}
              onChange={(event) => set('status', event.target.value)}
            >
              <option value="">{t('papers.everyStatus')}</option>
              {states.map((s) => (
                <option key={s} value={s}>
                  {t(`papers.driver.${s}`)}
                </option>
              ))}
            </select>
            <label className="flex min-h-touch items-center gap-2">
              <input
                type="checkbox"
                className="size-5 accent-accent"
                checked={waiting}
                onChange={(event) => set('waiting', event.target.checked ? '1' : '')}
              />
              {t('papers.onlyWaiting')}
            </label>
          </>
        }
        empty={<Empty>{t('papers.noDrivers')}</Empty>}
      />
    </Page>
  )
}
