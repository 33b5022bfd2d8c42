/** What the house charges: the versions there are, one of them, two side by side, and the next one. */
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link, Route, Routes, useNavigate, useParams, useSearchParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { useUser } from '@/app/hooks.ts'
import { day } from '@/i18n/format.ts'
import { Button, Empty, Failure, Skeleton } from '@/ui/index.tsx'
import { usePages } from '@/ui/pages.ts'
import { type Column, Table } from '@/ui/Table.tsx'
import { Page } from '../Page.tsx'
import { Who } from '../Who.tsx'
import { linesOf, paired } from './compare.ts'
import { Differences } from './Differences.tsx'
import { EditPage } from './EditPage.tsx'
import { useTariffs } from './hooks.ts'

type Version = Schemas['TariffVersion']

export default function TariffsPage() {
  return (
    <Routes>
      <Route index element={<List />} />
      <Route path="new" element={<EditPage />} />
      <Route path=":version" element={<One />} />
    </Routes>
  )
}

/** Which one holds is the newest of those whose time has come; the list has the newest first. */
function List() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const admin = useUser()?.role === 'admin'
  const holds = useTariffs()
  const rows = usePages<Version>(['tariffs', 'versions'], (query) =>
    data(api.GET('/v1/tariffs/versions', { params: { query } })),
  )
  const state = (v: Version) => {
    if (v.version === holds.data?.tariffs.version) return t('tariffs.holds')
    const later = v.effective_at !== null && Date.parse(v.effective_at) > Date.now()
    return t(later ? 'tariffs.waits' : 'tariffs.past')
  }
  const columns: Column<Version>[] = [
    {
      id: 'version',
      head: t('tariffs.version'),
      value: (v) => v.version,
      cell: (v) => t('tariffs.versionOf', { number: v.version }),
      width: '8rem',
    },
    { id: 'state', head: t('tariffs.state'), value: state, cell: state, width: '8rem' },
    {
      id: 'from',
      head: t('tariffs.from'),
      value: (v) => v.effective_at,
      cell: (v) => (v.effective_at ? day(v.effective_at) : t('tariffs.asConfigured')),
      wide: true,
    },
    { id: 'by', head: t('tariffs.by'), cell: (v) => <Who id={v.created_by} />, wide: true },
    {
      id: 'note',
      head: t('tariffs.note'),
      value: (v) => v.note,
      cell: (v) => <bdi>{v.note ?? ''}</bdi>,
      wide: true,
    },
  ]
  return (
    <Page
      title={t('admin.nav.tariffs')}
      lead={t('tariffs.lead')}
      acts={
        admin && (
          <Button kind="primary" asChild>
            <Link to="new">{t('tariffs.change')}</Link>
          </Button>
        )
      }
    >
      <Table
        label={t('tariffs.versions')}
        columns={columns}
        rows={rows}
        keyOf={(v) => String(v.version)}
        onOpen={(v) => navigate(String(v.version))}
        empty={<Empty>{t('tariffs.none')}</Empty>}
      />
    </Page>
  )
}

/** A version, beside another one where that is asked for: ?with=3 */
function One() {
  const { t } = useTranslation()
  const admin = useUser()?.role === 'admin'
  const version = Number(useParams().version)
  const [query, setQuery] = useSearchParams()
  const other = Number(query.get('with')) || null
  const one = useTariffs(version)
  const two = useTariffs(other ?? undefined, other !== null)
  const versions = useQuery({
    queryKey: ['tariffs', 'versions', 'some'],
    queryFn: () => data(api.GET('/v1/tariffs/versions', { params: { query: { limit: 200 } } })),
  })
  const failed = one.error ?? two.error
  const lines = one.data && linesOf(t, one.data.tariffs)
  const before = other === null ? undefined : two.data && linesOf(t, two.data.tariffs)
  return (
    <Page
      title={t('tariffs.versionOf', { number: version })}
      lead={one.data?.tariffs.note}
      acts={
        <>
          <Button kind="quiet" asChild>
            <Link to="/admin/tariffs">{t('tariffs.all')}</Link>
          </Button>
          {admin && (
            <Button asChild>
              <Link to={`/admin/tariffs/new?from=${version}`}>{t('tariffs.changeThis')}</Link>
            </Button>
          )}
        </>
      }
    >
      <label className="flex flex-wrap items-center gap-2 text-sm">
        {t('tariffs.compareWith')}
        <select
          className="min-h-touch rounded-control border border-line bg-panel px-3"
          value={other ?? ''}
          onChange={(event) =>
            setQuery(event.target.value ? { with: event.target.value } : {}, { replace: true })
          }
        >
          <option value="">{t('tariffs.nothing')}</option>
          {versions.data?.items
            .filter((v) => v.version !== version)
            .map((v) => (
              <option key={v.version} value={v.version}>
                {t('tariffs.versionOf', { number: v.version })}
              </option>
            ))}
        </select>
      </label>
      {failed ? (
        <Failure error={failed} retry={() => void (one.error ? one.refetch() : two.refetch())} />
      ) : lines === undefined || (other !== null && before === undefined) ? (
        <Skeleton className="h-80" />
      ) : (
        <Differences
          pairs={paired(before ?? lines, lines)}
          old={other === null ? null : t('tariffs.versionOf', { number: other })}
          now={t('tariffs.versionOf', { number: version })}
        />
      )}
    </Page>
  )
}
