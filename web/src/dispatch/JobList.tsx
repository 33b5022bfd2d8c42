/** The jobs, those that need somebody first. Only the rows in sight are in the page, so that thousands stay smooth. */
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { StateWord } from '@/booking/StateWord.tsx'
import { Way } from '@/booking/Way.tsx'
import { moment } from '@/i18n/format.ts'
import { cx, Empty, Failure, Skeleton } from '@/ui/index.tsx'
import { type Booking, type Jobs, reloadJobs } from './jobs.ts'
import { needOf } from './order.ts'

const ROW = 56 // px
const MORE = 6 // rows beyond those in sight

type Props = {
  jobs: Jobs
  list: Booking[]
  chosen: string | null
  now: number
  filtered: boolean
  onChoose: (id: string) => void
  onClear: () => void
}

export function JobList({ jobs, list, chosen, now, filtered, onChoose, onClear }: Props) {
  const { t } = useTranslation()
  const box = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(800)
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const watcher = new ResizeObserver(() => setHeight(element.clientHeight))
    watcher.observe(element)
    return () => watcher.disconnect()
  }, [])
  const at = list.findIndex((b) => b.id === chosen)
  useEffect(() => {
    const element = box.current
    if (element === null || at < 0) return
    if (at * ROW < element.scrollTop) element.scrollTop = at * ROW
    else if ((at + 1) * ROW > element.scrollTop + element.clientHeight)
      element.scrollTop = (at + 1) * ROW - element.clientHeight
  }, [at])

  if (jobs.error !== null && !jobs.loaded) return <Failure error={jobs.error} retry={reloadJobs} />
  if (!jobs.loaded)
    return (
      <div className="grid gap-2 p-2">
        {[0, 1, 2, 3].map((n) => (
          <Skeleton key={n} className="h-14" />
        ))}
      </div>
    )
  if (list.length === 0)
    return filtered ? (
      <Empty
        action={
          <button type="button" className="min-h-compact text-accent underline" onClick={onClear}>
            {t('dispatch.showAll')}
          </button>
        }
      >
        {t('dispatch.noneSuch')}
      </Empty>
    ) : (
      <Empty>{t('dispatch.none')}</Empty>
    )
  const first = Math.max(0, Math.floor(top / ROW) - MORE)
  const last = Math.min(list.length, Math.ceil((top + height) / ROW) + MORE)
  return (
    <div
      ref={box}
      className="min-h-0 grow overflow-auto"
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      role="listbox"
      aria-label={t('dispatch.jobs')}
      aria-activedescendant={at >= first && at < last ? `job-${chosen}` : undefined}
      tabIndex={0}
    >
      <div className="relative" style={{ height: list.length * ROW }}>
        {list.slice(first, last).map((booking, index) => (
          <Row
            key={booking.id}
            booking={booking}
            y={(first + index) * ROW}
            chosen={booking.id === chosen}
            now={now}
            onChoose={() => onChoose(booking.id)}
            place={first + index + 1}
            of={list.length}
          />
        ))}
      </div>
    </div>
  )
}

type RowProps = {
  booking: Booking
  y: number
  chosen: boolean
  now: number
  onChoose: () => void
  place: number
  of: number
}
function Row({ booking, y, chosen, now, onChoose, place, of }: RowProps) {
  const { t } = useTranslation()
  const need = needOf(booking, now)
  const eta = booking.stops.find((s) => s.eta !== null)?.eta
  return (
    <div
      id={`job-${booking.id}`}
      role="option"
      aria-selected={chosen}
      aria-setsize={of}
      aria-posinset={place}
      tabIndex={-1}
      className={cx(
        'absolute inset-x-0 flex cursor-pointer flex-col justify-center border-b border-line px-3',
        chosen && 'bg-raised',
      )}
      style={{ top: y, height: ROW }}
      onPointerDown={onChoose}
    >
      <span className="flex items-baseline gap-2 text-sm">
        <bdi className="figures font-medium">{booking.code}</bdi>
        <StateWord state={booking.state} className="min-w-0 grow truncate" />
        {need === 'unassigned-late' && (
          <span className="font-medium text-bad">
            !{' '}
            {t('dispatch.waiting', { since: moment(booking.pickup_window?.from ?? booking.created_at, now) })}
          </span>
        )}
        {need === 'late' && <span className="font-medium text-bad">! {t('dispatch.late')}</span>}
        {booking.state === 'scheduled' && booking.dispatch_at && (
          <span className="figures text-quiet">{moment(booking.dispatch_at, now)}</span>
        )}
        {need === 'none' && eta && <span className="figures text-quiet">{moment(eta, now)}</span>}
      </span>
      <span className="truncate text-sm text-quiet">
        <Way
          from={booking.stops[0]?.address ?? t('stop.pickup')}
          to={booking.stops.at(-1)?.address ?? t('stop.dropoff')}
        />
        {booking.driver?.name && (
          <>
            {' '}
            · <bdi>{booking.driver.name}</bdi>
          </>
        )}
      </span>
    </div>
  )
}
