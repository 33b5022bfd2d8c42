/** The vehicles in sight as a list: what the map shows, for whoever does not see it. */
import { memo, type RefObject, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { serverNow } from '@/api/session.ts'
import { moment } from '@/i18n/format.ts'
import { cx, Empty } from '@/ui/index.tsx'
import { carryDriver, useDropOfJob } from './drag.tsx'
import { STALE_S } from './FleetMarks.ts'
import type { Fleet, Vehicle } from './fleet.ts'

const REDRAW_MS = 2_000
const ROWS_MAX = 200

export const isStale = (v: Vehicle) => serverNow() - v.at > STALE_S * 1000

type RowProps = {
  id: string
  name: string
  vehicle: Vehicle['vehicle']
  duty: Vehicle['duty']
  chosen: boolean
  /** When it was last heard of, if that is too long ago. */
  seen: string | null
  acts: { choose: (id: string) => void; drop: (jobId: string, driverId: string) => void }
}
/** A job may be dropped on it, and it on a job. Drawn again only when something that it says has changed. */
const Row = memo(function Row({ id, name, vehicle, duty, chosen, seen, acts }: RowProps) {
  const { t } = useTranslation()
  const drop = useDropOfJob<HTMLLIElement>((jobId) => acts.drop(jobId, id))
  return (
    <li
      ref={drop.ref as RefObject<HTMLLIElement>}
      draggable={duty !== 'busy'}
      onDragStart={(event) => carryDriver(event, id)}
      className={cx(
        'border-b border-line',
        chosen && 'bg-raised',
        drop.over && 'outline-2 -outline-offset-2 outline-accent',
      )}
    >
      <button
        type="button"
        className="flex min-h-compact w-full items-baseline gap-2 px-3 py-2 text-start text-sm"
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

/** Those whose name has TEXT in it, by name. Thousands: ordered anew every few seconds, not whenever something is drawn. */
function useOrdered(fleet: Fleet | null, text: string): Vehicle[] {
  const { i18n } = useTranslation()
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setTurn((n) => n + 1), REDRAW_MS)
    return () => clearInterval(timer)
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the fleet changes in place; the turn and its counts stand for that
  return useMemo(() => {
    const wanted = text.trim().toLocaleLowerCase()
    const { compare } = new Intl.Collator(i18n.language)
    return [...(fleet?.vehicles.values() ?? [])]
      .filter((v) => (v.name ?? '').toLocaleLowerCase().includes(wanted))
      .sort((a, b) => compare(a.name ?? a.id, b.name ?? b.id))
  }, [fleet, fleet?.counts, text, turn, i18n.language])
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
  const now = useRef({ onChoose, onDropped })
  now.current = { onChoose, onDropped }
  const [acts] = useState(() => ({
    choose: (id: string) => now.current.onChoose(id),
    drop: (jobId: string, driverId: string) => now.current.onDropped(jobId, driverId),
  }))
  if (all.length === 0)
    return <Empty>{t(text.trim() === '' ? 'console.noVehicles' : 'console.noSuchVehicle')}</Empty>
  return (
    <>
      <ul className="min-h-0 grow overflow-auto" aria-label={t('console.vehicles')}>
        {all.slice(0, ROWS_MAX).map((v) => (
          <Row
            key={v.id}
            id={v.id}
            name={v.name ?? v.id}
            vehicle={v.vehicle}
            duty={v.duty}
            chosen={v.id === chosen}
            seen={isStale(v) ? moment(new Date(v.at).toISOString(), serverNow()) : null}
            acts={acts}
          />
        ))}
      </ul>
      {all.length > ROWS_MAX && (
        <p className="figures p-2 text-sm text-quiet">
          {t('console.moreVehicles', { count: all.length - ROWS_MAX })}
        </p>
      )}
    </>
  )
}
