/** One job: what it is, who could take it and why, what dispatch has tried, what has happened. */
import { useQuery } from '@tanstack/react-query'
import { Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { useBookingPosition } from '@/app/hooks.ts'
import { part } from '@/app/part.ts'
import { CancelDialog } from '@/book/CancelDialog.tsx'
import { Arrival, isComing } from '@/booking/Arrival.tsx'
import { Custody } from '@/booking/Custody.tsx'
import { Waiting } from '@/booking/Extras.tsx'
import { keepEtas } from '@/booking/eta.ts'
import { GoodsList } from '@/booking/Goods.tsx'
import { bookingQuery } from '@/booking/query.ts'
import { StateWord } from '@/booking/StateWord.tsx'
import { Timeline } from '@/booking/Timeline.tsx'
import { clock, day, distance, duration, money } from '@/i18n/format.ts'
import { When } from '@/later/When.tsx'
import { changeable } from '@/stops/wish.ts'
import { Fold } from '@/ui/Fold.tsx'
import { Button, Failure, Skeleton } from '@/ui/index.tsx'
import { AssignPanel } from './AssignPanel.tsx'
import { mayBeGiven } from './hands.ts'
import { type Booking, isEnded, isUnderWay, takeJob } from './jobs.ts'
import { sayWhy } from './why.ts'

const ChangeStops = part(async () => {
  const { words, ChangeStops } = await import('@/stops/ChangeStops.tsx')
  await words()
  return { default: ChangeStops }
})

const StopNote = part(async () => {
  const { words, StopNote } = await import('@/stops/StopNote.tsx')
  await words()
  return { default: StopNote }
})

const CANCELLED_BY_STAFF: Booking['state'][] = [
  'scheduled',
  'requested',
  'offered',
  'assigned',
  'arrived_pickup',
  'picked_up',
  'arrived_dropoff',
  'returning',
  'arrived_return',
]

export function JobDetail({
  id,
  known,
  now,
  onClose,
  onDropped,
}: {
  id: string
  known: Booking | undefined
  now: number
  onClose: () => void
  onDropped: (jobId: string, driverId: string) => void
}) {
  const { t } = useTranslation()
  const query = useQuery({
    ...bookingQuery(id),
    enabled: known === undefined || isUnderWay(known), // the list says nothing of when he will be where
  })
  useBookingPosition(known !== undefined && isUnderWay(known) ? id : null)
  const booking = known ? keepEtas(query.data, known) : query.data
  return (
    <section aria-label={t('dispatch.detail')} className="grid content-start gap-4 overflow-auto p-4">
      <Button kind="quiet" size="compact" className="justify-self-end" onClick={onClose}>
        ✕ {t('dispatch.close')}
      </Button>
      {query.error !== null && <Failure error={query.error} retry={() => void query.refetch()} />}
      {booking === undefined && query.error === null && <Skeleton className="h-40" />}
      {booking && <Detail booking={booking} now={now} onDropped={onDropped} />}
    </section>
  )
}

type DetailProps = {
  booking: Booking
  now: number
  onDropped: (jobId: string, driverId: string) => void
}
function Detail({ booking, now, onDropped }: DetailProps) {
  const { t } = useTranslation()
  return (
    <>
      <header>
        <h2 className="text-lg font-semibold">
          <bdi className="figures">{booking.code}</bdi> ·{' '}
          <StateWord state={booking.state} driver={booking.driver} />
        </h2>
        <p className="text-sm text-quiet">
          {t(`vehicle.${booking.vehicle}`)} · {money(booking.price.total, booking.price.currency)} ·{' '}
          {t(`payment.${booking.payment}`)} · {day(booking.created_at)}
        </p>
        {booking.pickup_window && (
          <p className="text-sm">
            {t('later.pickup')} <When window={booking.pickup_window} />
          </p>
        )}
        {booking.notes && (
          <p className="text-sm">
            “<bdi>{booking.notes}</bdi>”
          </p>
        )}
        <GoodsList goods={booking.goods} />
        <Waiting booking={booking} />
        {booking.reason && <p className="text-sm text-bad">{booking.reason}</p>}
      </header>
      <ol className="grid gap-2 text-sm">
        {booking.stops.map((stop) => (
          <li key={stop.index} className="grid grid-cols-[1fr_auto] gap-x-3">
            <span>
              {stop.index + 1}. <bdi>{stop.address ?? t(`stop.${stop.kind}`)}</bdi>
            </span>
            <span className="text-quiet">
              {isComing(stop) ? <Arrival times={stop} now={now} /> : t(`stopState.${stop.state}`)}
            </span>
            <div className="col-span-2">
              <Suspense>
                <StopNote
                  key={booking.id}
                  size="compact"
                  booking={booking}
                  stop={stop}
                  open={!isEnded(booking)}
                  onDone={takeJob}
                />
              </Suspense>
            </div>
            {stop.contact && (
              <span className="text-quiet">
                <bdi>{stop.contact.name}</bdi>{' '}
                {stop.contact.phone && (
                  <a
                    dir="ltr"
                    className="inline-block text-accent underline"
                    href={`tel:${stop.contact.phone}`}
                  >
                    {stop.contact.phone}
                  </a>
                )}
              </span>
            )}
          </li>
        ))}
      </ol>
      {booking.driver && (
        <p className="text-sm">
          {t('booking.driver')}: <bdi className="font-medium">{booking.driver.name}</bdi>{' '}
          <bdi>{booking.vehicle_plate}</bdi>{' '}
          {booking.driver.phone && (
            <a dir="ltr" className="inline-block text-accent underline" href={`tel:${booking.driver.phone}`}>
              {booking.driver.phone}
            </a>
          )}
          {booking.driver.free_at && (
            <span className="figures block text-waits">
              {t('hands.finishes', { when: clock(booking.driver.free_at) })}
            </span>
          )}
        </p>
      )}
      {booking.held && <p className="text-sm text-waits">◷ {t('hands.held')}</p>}
      {mayBeGiven(booking) && <AssignPanel key={booking.id} booking={booking} onDropped={onDropped} />}
      {changeable.includes(booking.state) && (
        <Suspense>
          <div>
            <ChangeStops key={booking.id} staff booking={booking} onDone={takeJob} />
          </div>
        </Suspense>
      )}
      {!isEnded(booking) && CANCELLED_BY_STAFF.includes(booking.state) && (
        <CancelDialog booking={booking} onDone={takeJob} />
      )}
      <Fold size="compact" summary={t('dispatch.trace')}>
        <Trace booking={booking} />
      </Fold>
      <Fold size="compact" summary={t('booking.timeline')}>
        <Timeline bookingId={booking.id} />
        <Custody bookingId={booking.id} code={booking.code} />
      </Fold>
    </>
  )
}

/** Why each driver was asked or passed over. */
function Trace({ booking }: { booking: Booking }) {
  const { t } = useTranslation()
  const query = useQuery({
    queryKey: ['trace', booking.id, booking.version],
    queryFn: () => data(api.GET('/v1/bookings/{id}/dispatch', { params: { path: { id: booking.id } } })),
    refetchInterval: isEnded(booking) ? false : 5_000, // the search hears of a change a moment later
  })
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />
  if (query.data === undefined) return <Skeleton className="h-24" />
  if (query.data.rounds.length === 0) return <p className="text-sm text-quiet">{t('dispatch.noRounds')}</p>
  return (
    <ol className="grid gap-3 text-sm">
      {query.data.rounds.map((round) => (
        <li key={`${round.at}${round.radius_m}`}>
          <p className="font-medium">
            {clock(round.at)} ·{' '}
            {round.radius_m === null
              ? t('dispatch.byHand')
              : t('dispatch.within', { distance: distance(round.radius_m) })}
            {round.repeats > 0 && ` · ${t('dispatch.repeats', { count: round.repeats })}`}
          </p>
          {round.candidates.length === 0 && <p className="text-quiet">{t('dispatch.nobody')}</p>}
          <ul>
            {round.candidates.map((c) => (
              <Candidate key={`${c.driver_id}${c.offer_id}`} candidate={c} />
            ))}
          </ul>
        </li>
      ))}
    </ol>
  )
}

function Candidate({ candidate: c }: { candidate: Schemas['DispatchCandidate'] }) {
  const { t } = useTranslation()
  return (
    <li className="grid grid-cols-[1fr_auto] gap-x-3 border-t border-line py-1">
      <span>
        {c.rank !== null && `${c.rank}. `}
        <bdi>{c.name ?? c.driver_id}</bdi>
      </span>
      <span>{t(`outcome.${c.outcome}`)}</span>
      <span className="text-quiet">
        {c.pickup_eta_s !== null && duration(c.pickup_eta_s)} {sayWhy(t, c)}
      </span>
    </li>
  )
}
