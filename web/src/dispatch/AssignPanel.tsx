/** Who could take a job now, the best first, and why he stands there; giving it to one of them, or taking it from the one
 * who has it. A row may be dragged onto a job in the list, and a job onto a row; a button does the same. */
import { useMutation } from '@tanstack/react-query'
import { type RefObject, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { distance, duration } from '@/i18n/format.ts'
import { Button, cx, Failure, Field, Skeleton } from '@/ui/index.tsx'
import { Conflict } from './Conflict.tsx'
import { carryDriver, useDropOfJob } from './drag.tsx'
import { type Candidate, give, isConflict, isFree, refresh, takeBack, useCandidates } from './hands.ts'
import type { Booking } from './jobs.ts'
import { sayWhy } from './why.ts'

const SHOWN = 12

type Props = { booking: Booking; onDropped: (jobId: string, driverId: string) => void }
export function AssignPanel({ booking, onDropped }: Props) {
  const { t } = useTranslation()
  const [reason, setReason] = useState('')
  const has = booking.driver !== null
  const near = useCandidates(booking)
  const assign = useMutation({
    mutationFn: (driverId: string) => give(booking, driverId, has ? reason.trim() : undefined),
    onSuccess: () => setReason(''),
    onError: (error) => isConflict(error) && void refresh(booking.id),
    onSettled: () => void near.refetch(),
  })
  const others = near.data?.filter((c) => c.driver_id !== booking.driver?.id) ?? []
  return (
    <section
      aria-label={t(has ? 'hands.another' : 'assign.title')}
      className="grid gap-2 rounded-panel border border-line p-3"
    >
      <h3 className="font-medium">{t(has ? 'hands.another' : 'assign.title')}</h3>
      {has && (
        <Field
          label={t('hands.reason')}
          value={reason}
          maxLength={200}
          onChange={(e) => setReason(e.target.value)}
        />
      )}
      {has && <TakeBack booking={booking} reason={reason.trim()} onDone={() => setReason('')} />}
      {near.error !== null && <Failure error={near.error} retry={() => void near.refetch()} />}
      {near.isPending && <Skeleton className="h-16" />}
      {near.data && !others.some(isFree) && (
        <p className="text-sm text-quiet">{t('assign.none', { vehicle: t(`vehicle.${booking.vehicle}`) })}</p>
      )}
      <ol className="grid gap-1">
        {others.slice(0, SHOWN).map((c) => (
          <Row
            key={c.driver_id}
            candidate={c}
            busy={assign.isPending && assign.variables === c.driver_id}
            disabled={assign.isPending || !isFree(c) || (has && reason.trim() === '')}
            onGive={() => assign.mutate(c.driver_id)}
            onDropped={(jobId) => onDropped(jobId, c.driver_id)}
          />
        ))}
      </ol>
      {assign.error !== null && <Conflict error={assign.error} booking={booking} />}
    </section>
  )
}

type RowProps = {
  candidate: Candidate
  busy: boolean
  disabled: boolean
  onGive: () => void
  onDropped: (jobId: string) => void
}
function Row({ candidate: c, busy, disabled, onGive, onDropped }: RowProps) {
  const { t } = useTranslation()
  const drop = useDropOfJob<HTMLLIElement>(onDropped)
  return (
    <li
      ref={drop.ref as RefObject<HTMLLIElement>}
      draggable={isFree(c)}
      onDragStart={(event) => carryDriver(event, c.driver_id)}
      className={cx(
        'grid grid-cols-[1fr_auto_auto] items-center gap-x-2 rounded-control text-sm',
        isFree(c) && 'cursor-grab',
        drop.over && 'outline-2 outline-accent',
      )}
    >
      <span className="min-w-0 truncate">
        {c.rank !== null && <span className="figures text-quiet">{c.rank}. </span>}
        <bdi>{c.name ?? c.driver_id}</bdi>
      </span>
      <span className="figures text-quiet">
        {c.pickup_eta_s !== null && duration(c.pickup_eta_s)}{' '}
        {c.distance_m !== null && distance(c.distance_m)}
      </span>
      <Button
        size="compact"
        busy={busy}
        disabled={disabled}
        aria-label={t('assign.to', { name: c.name ?? c.driver_id })}
        onClick={onGive}
      >
        {t('assign.do')}
      </Button>
      <span className="col-span-3 text-quiet">{sayWhy(t, c)}</span>
    </li>
  )
}

function TakeBack({ booking, reason, onDone }: { booking: Booking; reason: string; onDone: () => void }) {
  const { t } = useTranslation()
  const act = useMutation({
    mutationFn: (search: boolean) => takeBack(booking, reason, search),
    onSuccess: onDone,
    onError: (error) => isConflict(error) && void refresh(booking.id),
  })
  return (
    <div className="grid gap-2">
      <div className="flex flex-wrap gap-2">
        <Button size="compact" busy={act.isPending} disabled={reason === ''} onClick={() => act.mutate(true)}>
          {t('hands.unassign')}
        </Button>
        <Button size="compact" disabled={reason === '' || act.isPending} onClick={() => act.mutate(false)}>
          {t('hands.hold')}
        </Button>
      </div>
      {reason === '' && <p className="text-sm text-quiet">{t('hands.first')}</p>}
      {act.error !== null && <Conflict error={act.error} booking={booking} />}
    </div>
  )
}
