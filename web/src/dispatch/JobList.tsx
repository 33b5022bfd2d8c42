/** The jobs, those that need somebody first. */
import { memo, type PointerEvent, type RefObject, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { StateWord } from '@/booking/StateWord.tsx'
import { Way } from '@/booking/Way.tsx'
import { moment } from '@/i18n/format.ts'
import { cx, Empty, Failure, Skeleton } from '@/ui/index.tsx'
import { carryJob, useDropOfDriver } from './drag.tsx'
import { JobMenu } from './JobMenu.tsx'
import { type Booking, isEnded, type Jobs, reloadJobs } from './jobs.ts'
import { needOf } from './order.ts'
import { useRowsInSight } from './sight.ts'

const ROW = 56 // px

type Props = {
  jobs: Jobs
  list: Booking[]
  chosen: string | null
  now: number
  filtered: boolean
  selected: ReadonlySet<string>
  onPress: (id: string, keys: { ctrlKey: boolean; metaKey: boolean; shiftKey: boolean }) => void
  /** The box: all from where it began to here. */
  onPaint: (from: string, to: string) => void
  onToggle: (id: string) => void
  onOpen: (id: string) => void
  onDropped: (jobId: string, driverId: string) => void
  onClear: () => void
}

export function JobList(props: Props) {
  const { jobs, list, chosen, now, filtered, selected, onClear } = props
  const [aimed, setAimed] = useState(chosen)
  const painting = useRef<string | null>(null)
  const acts = useActs(props, painting)
  useEffect(() => {
    const end = () => {
      painting.current = null
    }
    window.addEventListener('pointerup', end)
    return () => window.removeEventListener('pointerup', end)
  }, [])
  const { t } = useTranslation()
  const at = list.findIndex((b) => b.id === chosen)
  const { box, onScroll, first, last } = useRowsInSight(list.length, ROW, at)

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
  return (
    <JobMenu booking={list.find((b) => b.id === aimed)} onOpen={props.onOpen} onGive={props.onDropped}>
      <div
        ref={box}
        onContextMenu={(event) => {
          const row = (event.target as HTMLElement).closest<HTMLElement>('[data-job]')
          setAimed(row?.dataset.job ?? chosen)
        }}
        className="min-h-0 grow overflow-auto"
        onScroll={onScroll}
        role="listbox"
        aria-label={t('dispatch.jobs')}
        aria-multiselectable
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
              selected={selected.has(booking.id)}
              now={now}
              acts={acts}
              place={first + index + 1}
              of={list.length}
            />
          ))}
        </div>
      </div>
    </JobMenu>
  )
}

type Acts = {
  press: (id: string, event: PointerEvent) => void
  mark: (id: string) => void
  over: (id: string) => void
  drop: (id: string, driverId: string) => void
}
/** What a row does: one object for all renders, so that a row is drawn again only when something of its own has changed. */
function useActs(props: Props, painting: RefObject<string | null>): Acts {
  const now = useRef(props)
  now.current = props
  const [acts] = useState<Acts>(() => ({
    press: (id, event) => now.current.onPress(id, event),
    mark: (id) => {
      painting.current = id
      now.current.onToggle(id)
    },
    over: (id) => {
      const from = painting.current
      if (from !== null && from !== id) now.current.onPaint(from, id)
    },
    drop: (id, driverId) => now.current.onDropped(id, driverId),
  }))
  return acts
}

type RowProps = {
  booking: Booking
  y: number
  chosen: boolean
  selected: boolean
  now: number
  acts: Acts
  place: number
  of: number
}
const Row = memo(function Row({ booking, y, chosen, selected, now, acts, place, of }: RowProps) {
  const { t } = useTranslation()
  const drop = useDropOfDriver<HTMLDivElement>((driverId) => acts.drop(booking.id, driverId))
  const need = needOf(booking, now)
  const eta = booking.stops.find((s) => s.eta !== null)?.eta
  return (
    <div
      ref={drop.ref as RefObject<HTMLDivElement>}
      id={`job-${booking.id}`}
      data-job={booking.id}
      role="option"
      aria-selected={chosen || selected}
      aria-setsize={of}
      aria-posinset={place}
      tabIndex={-1}
      className={cx(
        'absolute inset-x-0 flex cursor-pointer flex-col justify-center border-b border-line ps-8 pe-3',
        (chosen || selected) && 'bg-raised',
        drop.over && 'outline-2 -outline-offset-2 outline-accent',
      )}
      style={{ top: y, height: ROW }}
      draggable={!isEnded(booking)}
      onDragStart={(event) => carryJob(event, booking.id)}
      onPointerDown={(event) => event.button === 0 && acts.press(booking.id, event)}
      onPointerEnter={() => acts.over(booking.id)}
    >
      {/* For the mouse; keys have Ctrl+A and x. Held down and drawn over others it chooses them all. */}
      <span
        aria-hidden
        draggable
        data-mark
        className={cx(
          'absolute inset-y-0 start-0 grid w-8 place-items-center',
          selected ? 'text-accent' : 'text-quiet',
        )}
        onDragStart={(event) => {
          event.preventDefault()
          event.stopPropagation()
        }}
        onPointerDown={(event) => {
          event.stopPropagation()
          event.currentTarget.releasePointerCapture(event.pointerId)
          acts.mark(booking.id)
        }}
      >
        {selected ? '☑' : '☐'}
      </span>
      <span className="flex items-baseline gap-2 text-sm">
        <bdi className="figures font-medium">{booking.code}</bdi>
        {need === 'unassigned-late' ? (
          <span className="min-w-0 grow truncate font-medium text-bad">
            !{' '}
            {t('dispatch.waiting', { since: moment(booking.pickup_window?.from ?? booking.created_at, now) })}
          </span>
        ) : (
          <StateWord state={booking.state} driver={booking.driver} className="min-w-0 grow truncate" />
        )}
        {need === 'late' && <span className="shrink-0 font-medium text-bad">! {t('dispatch.late')}</span>}
        {booking.state === 'scheduled' && booking.dispatch_at && (
          <span className="figures shrink-0 text-quiet">{moment(booking.dispatch_at, now)}</span>
        )}
        {need === 'none' && eta && <span className="figures shrink-0 text-quiet">{moment(eta, now)}</span>}
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
})
