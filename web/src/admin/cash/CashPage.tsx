/** What drivers hold in cash and are owed; and one of them, with his book, where settlements are recorded and put right. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, Route, Routes, useNavigate, useParams } from 'react-router'
import { api, data, idempotencyKey, type Schemas } from '@/api/client.ts'
import { isPassing, Problem } from '@/api/problem.ts'
import { minorOf } from '@/cash/amount.ts'
import { day, money } from '@/i18n/format.ts'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { SelectField } from '@/ui/form.tsx'
import { Button, Empty, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { usePages } from '@/ui/pages.ts'
import { type Column, Table } from '@/ui/Table.tsx'
import { toast } from '@/ui/toast.tsx'
import { Page } from '../Page.tsx'

type Balances = Schemas['CashBalances']
type Entry = Schemas['CashEntry']
const kinds = ['handed_in', 'kept', 'paid_out'] as const
type Kind = (typeof kinds)[number]
const isSettlement = (e: Entry) => (kinds as readonly string[]).includes(e.kind)

export default function CashPage() {
  return (
    <Routes>
      <Route index element={<List />} />
      <Route path=":id" element={<One />} />
    </Routes>
  )
}

function List() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const rows = usePages(['cash'], (paging) => data(api.GET('/v1/cash', { params: { query: paging } })))
  const figure = (id: string, head: string, of: (b: Balances) => number, wide = true): Column<Balances> => ({
    id,
    wide,
    head,
    value: of,
    cell: (b) => <span className="figures">{money(of(b), b.currency)}</span>,
    width: '9rem',
  })
  const columns: Column<Balances>[] = [
    {
      id: 'name',
      head: t('field.name'),
      value: (b) => b.name ?? '—',
      cell: (b) => <bdi>{b.name ?? '—'}</bdi>,
    },
    figure('held', t('cash.held'), (b) => b.cash_held, false),
    figure('owed', t('cash.earnings'), (b) => b.earnings_owed),
    figure('owes', t('cash.owes'), (b) => b.owes_company),
  ]
  return (
    <Page title={t('cash.section')} lead={t('cash.lead')}>
      <Table
        label={t('cash.section')}
        columns={columns}
        rows={rows}
        keyOf={(b) => b.driver_id}
        onOpen={(b) => navigate(b.driver_id)}
        search={t('cash.search')}
        empty={<Empty>{t('cash.none')}</Empty>}
      />
    </Page>
  )
}

function One() {
  const { t } = useTranslation()
  const { id = '' } = useParams()
  const client = useQueryClient()
  const balances = useQuery({
    queryKey: ['cash', id],
    queryFn: () => data(api.GET('/v1/drivers/{id}/cash', { params: { path: { id } } })),
    staleTime: 0,
  })
  const entries = usePages(
    ['cash', id, 'entries'],
    (paging) =>
      data(api.GET('/v1/drivers/{id}/cash/entries', { params: { path: { id }, query: paging } })) as Promise<
        Schemas['CashEntries']
      >,
    50,
  )
  const refresh = () => {
    // The book follows the balance a moment later.
    for (const wait of [0, 500, 2_000])
      setTimeout(() => void client.invalidateQueries({ queryKey: ['cash'] }), wait)
  }
  if (balances.error)
    return (
      <Page title={t('cash.section')}>
        <Failure error={balances.error} retry={() => void balances.refetch()} />
      </Page>
    )
  if (balances.data === undefined) return <Skeleton className="m-4 h-40" />
  const b = balances.data
  return (
    <Page
      title={<bdi>{b.name ?? '—'}</bdi>}
      acts={
        <>
          <Button onClick={() => void download(id)}>{t('cash.csv')}</Button>
          <Button asChild kind="quiet">
            <Link to="/admin/cash">{t('cash.all_drivers')}</Link>
          </Button>
        </>
      }
    >
      <Figures balances={b} />
      <Settle balances={b} onDone={refresh} />
      <h2 className="text-md font-semibold">{t('cash.book')}</h2>
      {entries.error !== null && <Failure error={entries.error} retry={entries.retry} />}
      {entries.items.length === 0 && !entries.pending && <Empty>{t('cash.noEntries')}</Empty>}
      <ul className="grid gap-2">
        {entries.items.map((e) => (
          <EntryLine key={e.id} entry={e} driver={id} onDone={refresh} />
        ))}
      </ul>
      {entries.more && (
        <Button busy={entries.fetching} onClick={entries.fetchMore}>
          {t('cash.more')}
        </Button>
      )}
    </Page>
  )
}

/** The table as the server writes it. */
async function download(id: string): Promise<void> {
  const { data: text } = await api.GET('/v1/drivers/{id}/cash/entries', {
    params: { path: { id }, query: { format: 'csv' } },
    parseAs: 'text',
  })
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([String(text)], { type: 'text/csv' }))
  link.download = `cash-${id}.csv`
  link.click()
  URL.revokeObjectURL(link.href)
}

function Figures({ balances: b }: { balances: Balances }) {
  const { t } = useTranslation()
  const figures: [string, number][] = [
    [t('cash.held'), b.cash_held],
    [t('cash.earnings'), b.earnings_owed],
    [t('cash.owes'), b.owes_company],
    [t('cash.customers'), b.owed_to_customers],
  ]
  return (
    <Panel className="grid gap-3 p-4">
      <dl className="grid grid-cols-2 gap-3 md:grid-cols-4">
        {figures.map(([name, amount]) => (
          <div key={name}>
            <dt className="text-sm text-quiet">{name}</dt>
            <dd className="figures text-lg font-semibold">{money(amount, b.currency)}</dd>
          </div>
        ))}
      </dl>
      {b.limit !== null && b.limit_reached && (
        <p className="text-waits">{t('cash.limitReached', { money: money(b.limit, b.currency) })}</p>
      )}
    </Panel>
  )
}

function Settle({ balances: b, onDone }: { balances: Balances; onDone: () => void }) {
  const { t } = useTranslation()
  const [kind, setKind] = useState<Kind>('handed_in')
  const [text, setText] = useState('')
  const [reference, setReference] = useState('')
  /** Whose answer was lost: it may be recorded already, so that it alone is sent again, as it was. */
  const lost = useRef<Schemas['SettlementRequest'] | null>(null)
  const key = useRef(idempotencyKey()) // a second press, or a repeat after a lost answer, is the same settlement
  const amount = minorOf(text, b.currency)
  const balance = kind === 'paid_out' ? b.earnings_owed : b.cash_held
  const settle = useMutation({
    mutationFn: (body: Schemas['SettlementRequest']) =>
      data(
        api.POST('/v1/drivers/{id}/cash/settlements', {
          params: { path: { id: b.driver_id }, header: { 'Idempotency-Key': key.current } },
          body,
        }),
      ),
    onSuccess: () => {
      toast(t('cash.recorded'))
      setText('')
      setReference('')
      onDone()
    },
    // What was refused was not recorded: what is sent next is another request.
    onSettled: (_, error, body) => {
      lost.current = isPassing(error) ? body : null
      if (lost.current === null) key.current = idempotencyKey()
    },
  })
  function submit(event: FormEvent) {
    event.preventDefault()
    if (amount && !settle.isPending)
      settle.mutate(
        lost.current ?? { kind, amount, balance, ...(reference.trim() && { reference: reference.trim() }) },
      )
  }
  const changed = settle.error instanceof Problem && settle.error.kind === 'cash-changed'
  return (
    <Panel className="p-4">
      <form onSubmit={submit} aria-label={t('cash.settle')} className="grid gap-3 md:grid-cols-3">
        <h2 className="text-md font-semibold md:col-span-3">{t('cash.settle')}</h2>
        <fieldset className="contents" disabled={isPassing(settle.error)}>
          <SelectField label={t('cash.what')} value={kind} onChange={(e) => setKind(e.target.value as Kind)}>
            {kinds.map((k) => (
              <option key={k} value={k}>
                {t(`cash.kind.${k}`)}
              </option>
            ))}
          </SelectField>
          <Field
            label={t('cash.amount', { currency: b.currency })}
            hint={t('cash.ofBalance', { money: money(balance, b.currency) })}
            value={text}
            inputMode="decimal"
            autoComplete="off"
            maxLength={20}
            error={text.trim() !== '' && !amount ? t('cash.bad', { currency: b.currency }) : undefined}
            onChange={(e) => setText(e.target.value)}
          />
          <Field
            label={t('cash.reference')}
            value={reference}
            autoComplete="off"
            maxLength={100}
            onChange={(e) => setReference(e.target.value)}
          />
        </fieldset>
        <div className="grid gap-3 md:col-span-3">
          {changed ? (
            <div
              role="alert"
              className="flex flex-wrap items-center gap-3 rounded-control border border-waits p-3"
            >
              <span className="grow">{t('cash.changed')}</span>
              <Button
                onClick={() => {
                  settle.reset()
                  onDone()
                }}
              >
                {t('cash.look')}
              </Button>
            </div>
          ) : (
            settle.error !== null && <Failure error={settle.error} />
          )}
          <div>
            <Button kind="primary" type="submit" busy={settle.isPending} disabled={!amount}>
              {t('cash.record')}
            </Button>
          </div>
        </div>
      </form>
    </Panel>
  )
}

type LineProps = { entry: Entry; driver: string; onDone: () => void }
function EntryLine({ entry: e, driver, onDone }: LineProps) {
  const { t } = useTranslation()
  const [reason, setReason] = useState('')
  const more = [e.reference, e.reason].filter(Boolean).join(' · ')
  async function reverse() {
    await data(
      api.POST('/v1/drivers/{id}/cash/entries/{entry_id}/reverse', {
        params: { path: { id: driver, entry_id: e.id } },
        body: { reason: reason.trim() },
      }),
    )
    toast(t('cash.putRight'))
    onDone()
  }
  return (
    <li className="grid gap-1 rounded-panel border border-line bg-panel p-3">
      <p className="flex flex-wrap justify-between gap-x-3">
        <span className="font-medium">{t(`cash.kind.${e.kind}`)}</span>
        <span className="text-sm text-quiet">{day(e.at)}</span>
      </p>
      <ul className="figures flex flex-wrap gap-x-4 text-sm">
        {e.lines.map((l) => (
          <li key={l.account}>
            {t(`cash.account.${l.account}`)} <bdi>{money(l.amount, e.currency)}</bdi>
          </li>
        ))}
      </ul>
      {more !== '' && <p className="text-sm text-quiet">{more}</p>}
      {e.reversed_by !== undefined && <p className="text-sm text-waits">{t('cash.wasReversed')}</p>}
      {isSettlement(e) && e.reversed_by === undefined && (
        <div>
          <ConfirmButton
            label={t('cash.reverse')}
            title={t('cash.reverseTitle')}
            text={t('cash.reverseText')}
            action={t('cash.reverse')}
            size="compact"
            onConfirm={reverse}
          >
            <Field
              label={t('cash.why')}
              value={reason}
              maxLength={500}
              autoComplete="off"
              onChange={(event) => setReason(event.target.value)}
            />
          </ConfirmButton>
        </div>
      )}
    </li>
  )
}
