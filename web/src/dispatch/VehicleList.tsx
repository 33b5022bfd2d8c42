/** The vehicles in sight as a list: what the map shows, for whoever does not see it. */
import { memo, type RefObject, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { serverNow } from '@/api/session.ts'
import { moment } from '@/i18n/format.ts'
import { cx, Empty } from '@/ui/index.tsx'
import { carryDriver, useDropOfJob } from './drag.tsx'
import { STALE_S } from './FleetMarks.ts'
import type { Fleet, Vehicle } from './fleet.ts'
import { byName } from './order.ts'
import { useRowsInSight } from './sight.ts'

const REDRAW_MS = 2_000
const ROW = 40 // px

export const isStale = (v: Vehicle) => serverNow() - v.at > STALE_S * 1000

type RowProps = {
  id: string
  name: string
  vehicle: Vehicle['vehicle']
  duty: Vehicle['duty']
  chosen: boolean
  /** When it was last heard of, if that is too long ago. */
  seen: string | null
  place: number
  of: number
  acts: { choose: (id: string) => void; drop: (jobId: string, driverId: string) => void }
}
/** A job may be dropped on it, and it on a job. Drawn again only when something that it says has changed. */
const Row = memo(function Row({ id, name, vehicle, duty, chosen, seen, place, of, acts }: RowProps) {
  const { t } = useTranslation()
  const drop = useDropOfJob<HTMLLIElement>((jobId) => acts.drop(jobId, id))
  return (
    <li
      ref={drop.ref as RefObject<HTMLLIElement>}
      aria-posinset={place}
      aria-setsize={of}
      style={{ top: (place - 1) * ROW, height: ROW }}
      draggable={duty !== 'busy'}
      onDragStart={(event) => carryDriver(event, id)}
      className={cx(
        'absolute inset-x-0 border-b border-line',
        chosen && 'bg-raised',
        drop.over && 'outline-2 -outline-offset-2 outline-accent',
      )}
    >
      <button
        type="button"
        className="flex h-full w-full items-center gap-2 px-3 text-start text-sm"
        aria-current={chosen || undefined}
        onClick={() => acts.choose(id)}
      >
        <span aria-hidden className={duty === 'busy' ? 'text-going' : 'text-good'}>
          {duty === 'busy' ? '▲' : '○'}
        </span>
        <bdi className="min-w-0 grow truncate font-medium">{name}</bdi>
        <span className="text-quiet">
          {t(`vehicle.${vehicle}`)} · {t(`duty.${duty}`)}
        </span>
        {seen !== null && <span className="text-waits">{t('track.seen', { when: seen })}</span>}
      </button>
    </li>
  )
})

/** Those whose name has TEXT in it, by name. Ordered anew every few seconds, not whenever something is drawn. */
function useOrdered(fleet: Fleet | null, text: string): Vehicle[] {
  const { i18n } = useTranslation()
  const [turn, setTurn] = useState(0)
  const before = useRef<Vehicle[]>([])
  useEffect(() => {
    const timer = setInterval(() => setTurn((n) => n + 1), REDRAW_MS)
    return () => clearInterval(timer)
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the fleet changes in place; the turn and its counts stand for that
  const all = useMemo(() => {
    const { compare } = new Intl.Collator(i18n.language)
    before.current = byName(fleet?.vehicles ?? new Map<string, Vehicle>(), before.current, compare)
    return before.current
  }, [fleet, fleet?.counts, turn, i18n.language])
  const wanted = text.trim().toLocaleLowerCase()
  return useMemo(
    () => (wanted === '' ? all : all.filter((v) => (v.name ?? '').toLocaleLowerCase().includes(wanted))),
    [all, wanted],
  )
}

type Props = {
  fleet: Fleet | null
  text: string
  chosen: string | null
  onChoose: (id: string) => void
  onDropped: (jobId: string, driverId: string) => void
}
export function VehicleList({ fleet, text, chosen, onChoose, onDropped }: Props) {
  const { t } = useTranslation()
  const all = useOrdered(fleet, text)
  const { box, onScroll, first, last } = useRowsInSight(
    all.length,
    ROW,
    all.findIndex((v) => v.id === chosen),
  )
  const now = useRef({ onChoose, onDropped })
  now.current = { onChoose, onDropped }
  const [acts] = useState(() => ({
    choose: (id: string) => now.current.onChoose(id),
    drop: (jobId: string, driverId: string) => now.current.onDropped(jobId, driverId),
  }))
  if (all.length === 0)
    return <Empty>{t(text.trim() === '' ? 'console.noVehicles' : 'console.noSuchVehicle')}</Empty>
  return (
    <div ref={box} className="min-h-0 grow overflow-auto" onScroll={onScroll}>
      <ul className="relative" style={{ height: all.length * ROW }} aria-label={t('console.vehicles')}>
        {all.slice(first, last).map((v, index) => (
          <Row
            key={v.id}
            id={v.id}
            name={v.name ?? v.id}
            vehicle={v.vehicle}
            duty={v.duty}
            chosen={v.id === chosen}
            seen={isStale(v) ? moment(new Date(v.at).toISOString(), serverNow()) : null}
            place={first + index + 1}
            of={all.length}
            acts={acts}
          />
        ))}
      </ul>
    </div>
  )
}
