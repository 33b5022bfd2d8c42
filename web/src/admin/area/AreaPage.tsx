/** Where the platform serves: the area that counts, the versions before it, and the next one. */
import { useTranslation } from 'react-i18next'
import { Link, Route, Routes, useNavigate, useParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { useUser } from '@/app/hooks.ts'
import { day, number } from '@/i18n/format.ts'
import { ServiceBorder } from '@/map/border.tsx'
import { LorryMap } from '@/map/Map.tsx'
import { Button, Empty, Failure, Skeleton } from '@/ui/index.tsx'
import { usePages } from '@/ui/pages.ts'
import { type Column, Table } from '@/ui/Table.tsx'
import { Page } from '../Page.tsx'
import { Who } from '../Who.tsx'
import { EditPage } from './EditPage.tsx'
import { useArea } from './hooks.ts'
import { count, geoJsonOf, type Shape } from './shape.ts'

type Version = Schemas['ServiceAreaVersion']

export default function AreaPage() {
  return (
    <Routes>
      <Route index element={<Now />} />
      <Route path="edit" element={<EditPage />} />
      <Route path=":version" element={<One />} />
    </Routes>
  )
}

function Shown({ shape, version }: { shape: Shape; version: number }) {
  const { t } = useTranslation()
  const border = geoJsonOf(shape)
  if (border === null) return <Empty>{t('area.anyPlace')}</Empty>
  const { corners, rings } = count(shape)
  const words = { parts: number(shape.length), holes: number(rings - shape.length), corners: number(corners) }
  return (
    <>
      <p className="text-sm text-quiet">{t('area.counts', words)}</p>
      <LorryMap
        label={t('area.mapOf', { number: version })}
        className="h-[50dvh] min-h-64 overflow-hidden rounded-panel border border-line"
      >
        <ServiceBorder border={border} and={[]} />
      </LorryMap>
    </>
  )
}

function Now() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const admin = useUser()?.role === 'admin'
  const area = useArea()
  const rows = usePages<Version>(['area', 'versions'], () => data(api.GET('/v1/service-area/versions')))
  const state = (v: Version) => t(v.version === area.data?.version ? 'area.holds' : 'area.past')
  const columns: Column<Version>[] = [
    {
      id: 'version',
      head: t('area.version'),
      value: (v) => v.version,
      cell: (v) => t('area.versionOf', { number: v.version }),
      width: '9rem',
    },
    { id: 'state', head: t('area.state'), value: state, cell: state },
    {
      id: 'at',
      head: t('area.at'),
      value: (v) => v.updated_at,
      cell: (v) => (v.updated_at ? day(v.updated_at) : t('area.asConfigured')),
      wide: true,
    },
    { id: 'by', head: t('area.by'), cell: (v) => <Who id={v.updated_by} />, wide: true },
  ]
  return (
    <Page
      title={t('admin.nav.area')}
      lead={t('area.lead')}
      acts={
        admin && (
          <Button kind="primary" asChild>
            <Link to="edit">{t('area.change')}</Link>
          </Button>
        )
      }
    >
      {area.error ? (
        <Failure error={area.error} retry={() => void area.refetch()} />
      ) : area.data === undefined ? (
        <Skeleton className="h-80" />
      ) : (
        <Shown shape={area.data.shape} version={area.data.version} />
      )}
      <h2 className="text-lg font-semibold">{t('area.versions')}</h2>
      <Table
        label={t('area.versions')}
        columns={columns}
        rows={rows}
        keyOf={(v) => String(v.version)}
        onOpen={(v) => navigate(String(v.version))}
        empty={<Empty>{t('area.noVersions')}</Empty>}
      />
    </Page>
  )
}

function One() {
  const { t } = useTranslation()
  const admin = useUser()?.role === 'admin'
  const version = Number(useParams().version)
  const area = useArea(version)
  return (
    <Page
      title={t('area.versionOf', { number: version })}
      lead={area.data && (area.data.at ? day(area.data.at) : t('area.asConfigured'))}
      acts={
        <>
          <Button kind="quiet" asChild>
            <Link to="/admin/area">{t('area.back')}</Link>
          </Button>
          {admin && area.data && (
            <Button asChild>
              <Link to={`/admin/area/edit?from=${version}`}>{t('area.goBack')}</Link>
            </Button>
          )}
        </>
      }
    >
      {area.error ? (
        <Failure error={area.error} retry={() => void area.refetch()} />
      ) : area.data === undefined ? (
        <Skeleton className="h-80" />
      ) : (
        <Shown shape={area.data.shape} version={version} />
      )}
    </Page>
  )
}
