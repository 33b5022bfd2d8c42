/** The vehicles in sight as a list: what the map shows, for whoever does not see it. */
import { type ReactNode, type RefObject, useEffect, useState } from 'react'
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
  chosen: boolean
  free: boolean
  onDropped: Props['onDropped']
  children: ReactNode
}
/** A job may be dropped on it, and it on a job. */
function Row({ id, chosen, free, onDropped, children }: RowProps) {
  const drop = useDropOfJob<HTMLLIElement>((jobId) => onDropped(jobId, id))
  return (
    <li
      ref={drop.ref as RefObject<HTMLLIElement>}
      draggable={free}
      onDragStart={(event) => carryDriver(event, id)}
      className={cx(
        'border-b border-line',
        chosen && 'bg-raised',
        drop.over && 'outline-2 -outline-offset-2 outline-accent',
      )}
    >
      {children}
    </li>
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
  const [, redraw] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => redraw((n) => n + 1), REDRAW_MS)
    return () => clearInterval(timer)
  }, [])
  const wanted = text.trim().toLocaleLowerCase()
  const all = [...(fleet?.vehicles.values() ?? [])]
    .filter((v) => (v.name ?? '').toLocaleLowerCase().includes(wanted))
    .sort((a, b) => (a.name ?? a.id).localeCompare(b.name ?? b.id))
  if (all.length === 0)
    return <Empty>{t(wanted === '' ? 'console.noVehicles' : 'console.noSuchVehicle')}</Empty>
  return (
    <>
      <ul className="min-h-0 grow overflow-auto" aria-label={t('console.vehicles')}>
        {all.slice(0, ROWS_MAX).map((v) => (
          <Row key={v.id} id={v.id} chosen={v.id === chosen} free={v.duty !== 'busy'} onDropped={onDropped}>
            <button
              type="button"
              className="flex min-h-compact w-full items-baseline gap-2 px-3 py-2 text-start text-sm"
              aria-current={v.id === chosen || undefined}
              onClick={() => onChoose(v.id)}
            >
              <span aria-hidden className={v.duty === 'busy' ? 'text-going' : 'text-good'}>
                {v.duty === 'busy' ? '▲' : '○'}
              </span>
              <bdi className="min-w-0 grow truncate font-medium">{v.name ?? v.id}</bdi>
              <span className="text-quiet">
                {t(`vehicle.${v.vehicle}`)} · {t(`duty.${v.duty}`)}
              </span>
              {isStale(v) && (
                <span className="text-waits">
                  {t('track.seen', { when: moment(new Date(v.at).toISOString(), serverNow()) })}
                </span>
              )}
            </button>
          </Row>
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
