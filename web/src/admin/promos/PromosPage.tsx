/** The promo codes: which there are and how often each was used, one of them, and a new one. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link, Route, Routes, useNavigate, useParams } from 'react-router'
import { api, data, idempotencyKey, type Schemas } from '@/api/client.ts'
import { useNow } from '@/app/hooks.ts'
import { day, money, number, percent } from '@/i18n/format.ts'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { ifMatch } from '@/ui/form.tsx'
import { Button, Empty, Failure, Skeleton } from '@/ui/index.tsx'
import { usePages } from '@/ui/pages.ts'
import { type Column, Table } from '@/ui/Table.tsx'
import { toast } from '@/ui/toast.tsx'
import { Page } from '../Page.tsx'
import { useTariffs } from '../tariffs/hooks.ts'
import { Who } from '../Who.tsx'
import { stateOf } from './draft.ts'
import { NewPage } from './NewPage.tsx'

type Promo = Schemas['PromoCode']

export default function PromosPage() {
  return (
    <Routes>
      <Route index element={<List />} />
      <Route path="new" element={<NewPage />} />
      <Route path="code/:code" element={<One />} />
    </Routes>
  )
}

function useWords() {
  const { t } = useTranslation()
  const currency = useTariffs().data?.tariffs.currency ?? 'EUR'
  const now = useNow(60_000)
  return {
    off: (p: Promo) =>
      p.percent !== undefined
        ? p.cap === undefined
          ? percent(p.percent)
          : t('promos.atMost', { percent: percent(p.percent), cap: money(p.cap, currency) })
        : money(p.amount ?? 0, currency),
    uses: (p: Promo) =>
      p.uses_max === undefined
        ? number(p.used)
        : t('promos.usesOf', { used: number(p.used), max: number(p.uses_max) }),
    state: (p: Promo) => t(`promos.is.${stateOf(p, now)}`),
    sum: (amount: number) => money(amount, currency),
  }
}

function List() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const words = useWords()
  const rows = usePages<Promo>(['promos'], (query) => data(api.GET('/v1/promo-codes', { params: { query } })))
  const columns: Column<Promo>[] = [
    { id: 'code', head: t('promos.code'), value: (p) => p.code, cell: (p) => <bdi dir="ltr">{p.code}</bdi> },
    { id: 'off', head: t('promos.off'), value: words.off, cell: words.off, wide: true },
    { id: 'state', head: t('promos.state'), value: words.state, cell: words.state },
    {
      id: 'used',
      head: t('promos.used'),
      value: (p) => p.used,
      cell: words.uses,
      numeric: true,
      width: '7rem',
    },
    {
      id: 'to',
      head: t('promos.validTo'),
      value: (p) => p.valid_to ?? null,
      cell: (p) => (p.valid_to ? day(p.valid_to) : '—'),
      wide: true,
    },
  ]
  const make = (
    <Button kind="primary" asChild>
      <Link to="new">{t('promos.make')}</Link>
    </Button>
  )
  return (
    <Page title={t('admin.nav.promos')} lead={t('promos.lead')} acts={make}>
      <Table
        label={t('admin.nav.promos')}
        columns={columns}
        rows={rows}
        keyOf={(p) => p.code}
        onOpen={(p) => navigate(`code/${encodeURIComponent(p.code)}`)}
        search={t('promos.search')}
        empty={<Empty>{t('promos.none')}</Empty>}
      />
    </Page>
  )
}

function One() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const code = useParams().code ?? ''
  const words = useWords()
  const promo = useQuery({
    queryKey: ['promos', 'one', code],
    queryFn: () => data(api.GET('/v1/promo-codes/{code}', { params: { path: { code } } })),
  })
  const p = promo.data
  async function end(one: Promo) {
    const header = { ...ifMatch(one.version), 'Idempotency-Key': idempotencyKey() }
    await data(api.POST('/v1/promo-codes/{code}/end', { params: { path: { code }, header } }))
    toast(t('promos.endedNow', { code }))
    await client.invalidateQueries({ queryKey: ['promos'] })
  }
  const lines: [string, React.ReactNode][] = p
    ? [
        [t('promos.off'), words.off(p)],
        [t('promos.state'), words.state(p)],
        [t('promos.used'), words.uses(p)],
        [t('promos.perCustomer'), p.uses_per_customer_max ? number(p.uses_per_customer_max) : '—'],
        [t('promos.minimum'), p.minimum_total ? words.sum(p.minimum_total) : '—'],
        [t('promos.validFrom'), p.valid_from ? day(p.valid_from) : '—'],
        [t('promos.validTo'), p.valid_to ? day(p.valid_to) : '—'],
        [t('promos.vehicles'), p.vehicles?.map((v) => t(`vehicle.${v}`)).join(', ') || t('promos.all')],
        [t('promos.zones'), <bdi key="zones">{p.zones?.join(', ') || t('promos.all')}</bdi>],
        [t('promos.first'), t(p.first_only ? 'promos.yes' : 'promos.no')],
        [t('promos.note'), <bdi key="note">{p.note ?? '—'}</bdi>],
        [t('promos.by'), <Who key="who" id={p.created_by} />],
      ]
    : []
  return (
    <Page
      title={<bdi dir="ltr">{code}</bdi>}
      acts={
        <>
          <Button kind="quiet" asChild>
            <Link to="/admin/promos">{t('promos.back')}</Link>
          </Button>
          {p && !p.ended && (
            <ConfirmButton
              label={t('promos.end')}
              title={t('promos.endTitle', { code })}
              text={t('promos.endText')}
              action={t('promos.end')}
              onConfirm={() => end(p)}
            />
          )}
        </>
      }
    >
      {promo.error ? (
        <Failure error={promo.error} retry={() => void promo.refetch()} />
      ) : p === undefined ? (
        <Skeleton className="h-80" />
      ) : (
        <dl className="grid max-w-prose grid-cols-1 gap-x-4 gap-y-2 sm:grid-cols-[14rem_1fr]">
          {lines.map(([what, much]) => (
            <div key={what} className="contents">
              <dt className="text-sm text-quiet">{what}</dt>
              <dd className="figures min-w-0 wrap-anywhere">{much}</dd>
            </div>
          ))}
        </dl>
      )}
    </Page>
  )
}
