/** Many bookings from one file: looked at first, then booked; how far each is comes by itself. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, Route, Routes, useNavigate, useParams } from 'react-router'
import { save } from '@/admin/audit/csv.ts'
import { Page } from '@/admin/Page.tsx'
import { api, data, idempotencyKey, type Schemas } from '@/api/client.ts'
import { live } from '@/api/live.ts'
import { Problem } from '@/api/problem.ts'
import { clock, day, money } from '@/i18n/format.ts'
import { Button, Empty, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'

type Import = Schemas['BookingImport']
const whenOf = (it: Import) => `${day(it.created_at)} ${clock(it.created_at)}`
const over = (it: Import) => it.state === 'done' || it.state === 'cancelled'
const example = [
  'reference,pickup_lat,pickup_lng,pickup_address,dropoff_lat,dropoff_lng,dropoff_name,dropoff_phone,dropoff_note,vehicle,notes',
  'order 17,57.7089,11.9746,Drottningtorget,57.6969,11.9865,Bo,+46701234567,"code 1234, 4th floor",van,handle with care',
  '',
].join('\r\n')

export default function ImportsPage() {
  const client = useQueryClient()
  useEffect(() => {
    const again = () => void client.invalidateQueries({ queryKey: ['imports'] })
    return live.listen({ entry: (entry) => entry.type === 'import.updated' && again(), gap: again })
  }, [client])
  return (
    <Routes>
      <Route index element={<List />} />
      <Route path=":id" element={<One />} />
    </Routes>
  )
}

function List() {
  const { t } = useTranslation()
  const imports = useQuery({
    queryKey: ['imports'],
    queryFn: () => data(api.GET('/v1/booking-imports', { params: { query: { limit: 50 } } })),
  })
  return (
    <Page
      title={t('imports.title')}
      lead={t('imports.lead')}
      acts={
        <Button onClick={() => save('lorry-import.csv', example, 'text/csv')}>{t('imports.example')}</Button>
      }
    >
      <Panel className="p-4">
        <Send />
      </Panel>
      {imports.isPending && <Skeleton className="h-24" />}
      {imports.error && <Failure error={imports.error} retry={() => void imports.refetch()} />}
      {imports.data?.items.length === 0 && <Empty>{t('imports.none')}</Empty>}
      <ul className="grid grid-cols-1 gap-2">
        {imports.data?.items.map((it) => (
          <li key={it.id}>
            <Link
              to={it.id}
              className="block rounded-panel border border-line bg-panel p-3 hover:border-quiet"
            >
              <span className="block font-semibold">{whenOf(it)}</span>
              <Summary of={it} />
            </Link>
          </li>
        ))}
      </ul>
    </Page>
  )
}

/** The file is sent with a key of its own, so that sending it again after a broken line books nothing twice. */
function Send() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [file, setFile] = useState<File>()
  const [keys, setKeys] = useState({ dry: '', real: '' })
  const send = useMutation({
    mutationFn: async (dry: boolean) => {
      const json = file?.name.toLowerCase().endsWith('.json')
      return data(
        api.POST('/v1/booking-imports', {
          params: {
            query: { dry_run: dry ? 'true' : 'false' },
            header: { 'Idempotency-Key': dry ? keys.dry : keys.real },
          },
          headers: { 'Content-Type': json ? 'application/json' : 'text/csv' },
          body: file as never,
          bodySerializer: (body) => body as never,
        }),
      )
    },
    onSuccess: (it) => {
      void client.invalidateQueries({ queryKey: ['imports'] })
      navigate(it.id)
    },
  })
  function submit(event: FormEvent) {
    event.preventDefault()
    if (file) send.mutate(true)
  }
  return (
    <form onSubmit={submit} className="grid grid-cols-1 gap-3">
      <Field
        label={t('imports.file')}
        hint={t('imports.fileHint')}
        type="file"
        accept=".csv,.json,text/csv,application/json"
        onChange={(event) => {
          setFile(event.target.files?.[0])
          setKeys({ dry: idempotencyKey(), real: idempotencyKey() })
          send.reset()
        }}
      />
      {send.error && <Failure error={send.error} />}
      {send.error instanceof Problem &&
        send.error.fields.map(({ pointer, detail }) => (
          <p key={pointer + detail} className="text-sm text-bad">
            <bdi>{detail}</bdi>
          </p>
        ))}
      <div className="flex flex-wrap gap-2">
        <Button
          kind="primary"
          type="submit"
          disabled={!file}
          busy={send.isPending && send.variables === true}
        >
          {t('imports.look')}
        </Button>
        <Button
          disabled={!file}
          busy={send.isPending && send.variables === false}
          onClick={() => send.mutate(false)}
        >
          {t('imports.book')}
        </Button>
      </div>
    </form>
  )
}

function Summary({ of: it }: { of: Import }) {
  const { t } = useTranslation()
  const good = it.rows.booked + it.rows.valid + it.rows.ordered
  return (
    <span className="block text-sm text-quiet">
      {t(`imports.state.${it.state}`)}
      {it.dry_run && ` · ${t('imports.dryRun')}`} · {t('imports.good', { count: good })} ·{' '}
      {t('imports.bad', { count: it.rows.failed })}
    </span>
  )
}

function One() {
  const { t } = useTranslation()
  const { id = '' } = useParams()
  const client = useQueryClient()
  const it = useQuery({
    queryKey: ['imports', id],
    queryFn: () => data(api.GET('/v1/booking-imports/{id}', { params: { path: { id } } })),
    // What is pushed may be missed; and the end of a short one must not wait for a minute.
    refetchInterval: (query) => (query.state.data && over(query.state.data) ? false : 2000),
  })
  const key = useState(idempotencyKey)[0]
  const stop = useMutation({
    mutationFn: () =>
      data(
        api.POST('/v1/booking-imports/{id}/cancel', {
          params: { path: { id }, header: { 'Idempotency-Key': key } },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: ['imports'] }),
  })
  if (it.error) return <Failure error={it.error} retry={() => void it.refetch()} />
  if (!it.data) return <Skeleton className="m-4 h-40" />
  const { rows } = it.data
  return (
    <Page
      title={whenOf(it.data)}
      acts={
        <>
          <Button asChild>
            <Link to="..">{t('imports.all')}</Link>
          </Button>
          {it.data.state === 'running' && (
            <Button kind="danger" busy={stop.isPending} onClick={() => stop.mutate()}>
              {t('imports.stop')}
            </Button>
          )}
        </>
      }
    >
      {stop.error && <Failure error={stop.error} />}
      <Panel className="grid grid-cols-1 gap-2 p-4">
        <p role="status">
          <Summary of={it.data} />
        </p>
        <progress
          aria-label={t('imports.progress')}
          className="w-full"
          max={rows.all}
          value={rows.all - rows.waiting - rows.ordered}
        />
        {it.data.currency && (
          <p className="figures font-semibold">
            {t('imports.total')} {money(it.data.total, it.data.currency)}
          </p>
        )}
        {it.data.dry_run && over(it.data) && <p>{t('imports.nothingBooked')}</p>}
      </Panel>
      <Rows of={it.data} />
    </Page>
  )
}

function Rows({ of: it }: { of: Import }) {
  const { t } = useTranslation()
  const list = useQuery({
    queryKey: ['imports', it.id, 'rows', it.version],
    queryFn: async () => {
      const items: Schemas['ImportedRow'][] = []
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await data(
          api.GET('/v1/booking-imports/{id}/rows', {
            params: { path: { id: it.id }, query: { limit: 200, ...(cursor && { cursor }) } },
          }),
        )
        items.push(...page.items)
        cursor = page.next_cursor
      }
      return items
    },
    placeholderData: (before) => before,
  })
  if (list.error) return <Failure error={list.error} retry={() => void list.refetch()} />
  return (
    <ul aria-label={t('imports.rows')} className="grid grid-cols-1 gap-1">
      {list.data?.map((row) => (
        <li key={row.row} className="rounded-control border border-line bg-panel px-3 py-2">
          <div className="flex flex-wrap items-center gap-x-3">
            <span className="font-medium">{t('imports.row', { number: row.row })}</span>
            {row.reference && <bdi className="break-all">{row.reference}</bdi>}
            <span className={row.state === 'failed' ? 'text-bad' : 'text-quiet'}>
              {row.state === 'failed' ? '▲ ' : ''}
              {t(`imports.rowState.${row.state}`)}
            </span>
            {row.total !== undefined && it.currency && (
              <span className="figures">{money(row.total, it.currency)}</span>
            )}
            {row.booking_id && (
              <Link className="min-h-compact text-accent underline" to={`/book/${row.booking_id}`}>
                {t('imports.open', { number: row.row })}
              </Link>
            )}
          </div>
          {row.errors.map((error) => (
            <p key={error.pointer + error.detail} className="text-sm text-bad">
              {error.pointer && <bdi dir="ltr">{error.pointer.slice(1)}: </bdi>}
              <bdi>{error.detail}</bdi>
            </p>
          ))}
        </li>
      ))}
    </ul>
  )
}
