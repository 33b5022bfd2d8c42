/** What needs somebody: read whole, told by the socket when it changes, and taken on by whoever sees to it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { live } from '@/api/live.ts'
import { serverNow } from '@/api/session.ts'
import { bookingQuery } from '@/booking/query.ts'
import { clock, distance, moment } from '@/i18n/format.ts'
import { Button, cx, Empty, Failure, Skeleton } from '@/ui/index.tsx'
import type { Booking, Jobs } from './jobs.ts'

export type Alert = Schemas['Alert']
const KEY = ['alerts']
const REREAD_MS = 30_000 // the socket says so sooner
const PAGE = 200

export function useAlerts() {
  const client = useQueryClient()
  useEffect(() => {
    const again = () => void client.invalidateQueries({ queryKey: KEY })
    return live.listen({ entry: (entry) => entry.type === 'alert.updated' && again(), gap: again })
  }, [client])
  return useQuery({
    queryKey: KEY,
    refetchInterval: REREAD_MS,
    queryFn: () => data(api.GET('/v1/alerts', { params: { query: { limit: PAGE } } })).then((a) => a.items),
  })
}
export const isOpen = (a: Alert) => a.state === 'open'

/** Says politely what has come since, and not what was there when the page was opened. */
export function AlertNews({ alerts }: { alerts: Alert[] | undefined }) {
  const { t } = useTranslation()
  const known = useRef<Set<string> | null>(null)
  const [fresh, setFresh] = useState(0)
  useEffect(() => {
    if (alerts === undefined) return
    const raised = alerts.filter(isOpen)
    const name = (a: Alert) => `${a.id} ${a.times}`
    if (known.current !== null) {
      const come = raised.filter((a) => !known.current?.has(name(a)))
      if (come.length > 0) setFresh(come.length)
    }
    known.current = new Set(raised.map(name))
  }, [alerts])
  return (
    <p role="status" className="sr-only">
      {fresh > 0 && t('console.newAlert', { count: fresh })}
    </p>
  )
}

type Props = {
  alerts: ReturnType<typeof useAlerts>
  jobs: Jobs
  chosen: string | null
  onJob: (id: string) => void
}
export function AlertList({ alerts, jobs, chosen, onJob }: Props) {
  const { t } = useTranslation()
  if (alerts.error !== null && alerts.data === undefined)
    return <Failure error={alerts.error} retry={() => void alerts.refetch()} />
  if (alerts.data === undefined) return <Skeleton className="m-2 h-14" />
  if (alerts.data.length === 0) return <Empty>{t('console.noAlerts')}</Empty>
  const urgent = (a: Alert) => (isOpen(a) ? 0 : 1)
  return (
    <ul className="min-h-0 grow overflow-auto" aria-label={t('console.alerts')}>
      {alerts.data
        .toSorted((a, b) => urgent(a) - urgent(b) || Date.parse(a.raised_at) - Date.parse(b.raised_at))
        .map((alert) => (
          <Row
            key={alert.id}
            alert={alert}
            known={jobs.bookings.get(alert.booking_id)}
            asks={jobs.loaded}
            chosen={alert.booking_id === chosen}
            onJob={() => onJob(alert.booking_id)}
          />
        ))}
    </ul>
  )
}

/** ASKS: what is not KNOWN has ended, and is fetched to say what it was. */
type RowProps = {
  alert: Alert
  known: Booking | undefined
  asks: boolean
  chosen: boolean
  onJob: () => void
}
function Row({ alert, known, asks, chosen, onJob }: RowProps) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const see = useMutation({
    mutationFn: () => data(api.POST('/v1/alerts/{id}/ack', { params: { path: { id: alert.id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: KEY }),
  })
  const ended = useQuery({
    ...bookingQuery(alert.booking_id),
    enabled: known === undefined && asks,
  })
  const booking = known ?? ended.data
  const code = booking?.code ?? '…'
  return (
    <li className={cx('grid gap-1 border-b border-line px-3 py-2 text-sm', chosen && 'bg-raised')}>
      <p className="flex items-baseline gap-2">
        <span className={cx('font-medium', isOpen(alert) ? 'text-bad' : 'text-quiet')}>
          {isOpen(alert) ? '!' : '✓'} {t(`console.alert.${alert.kind}`)}
        </span>
        <button type="button" className="figures min-h-compact underline" onClick={onJob}>
          <bdi>{code}</bdi>
        </button>
        <span className="grow" />
        <span className="figures text-quiet">{moment(alert.raised_at, serverNow())}</span>
      </p>
      <p className="flex items-center gap-2 text-quiet">
        <span className="min-w-0 grow">{detail(t, alert, booking)}</span>
        {isOpen(alert) ? (
          <Button
            size="compact"
            busy={see.isPending}
            aria-label={`${t('console.seeTo')}: ${code}, ${t(`console.alert.${alert.kind}`)}`}
            onClick={() => see.mutate()}
          >
            {t('console.seeTo')}
          </Button>
        ) : (
          <span>{t('console.seenTo')}</span>
        )}
      </p>
      {see.error !== null && <Failure error={see.error} />}
    </li>
  )
}

function detail(t: ReturnType<typeof useTranslation>['t'], alert: Alert, booking: Booking | undefined) {
  const name = booking?.driver?.name ?? t('console.theDriver')
  switch (alert.kind) {
    case 'late':
      return t('console.detail.late', {
        name,
        eta: alert.eta === null ? '–' : clock(alert.eta),
        promised: alert.promised === null ? '–' : clock(alert.promised),
      })
    case 'stale':
      return t('console.detail.stale', {
        name,
        when: alert.seen_at === null ? '–' : moment(alert.seen_at, serverNow()),
      })
    case 'off_route':
      return t('console.detail.off_route', { name, distance: distance(alert.distance_m ?? 0) })
    default:
      return t('console.detail.unassigned', { from: booking?.stops[0]?.address ?? t('stop.pickup') })
  }
}
