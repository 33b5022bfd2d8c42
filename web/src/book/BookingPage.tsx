/** One booking, live: looking for a driver, on the way, done; and what its customer can still do about it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate, useParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { serverNow } from '@/api/session.ts'
import { takeBooking, useBookingPosition, useNow } from '@/app/hooks.ts'
import { part } from '@/app/part.ts'
import { Arrival, isComing, windowOf } from '@/booking/Arrival.tsx'
import { Custody } from '@/booking/Custody.tsx'
import { Extras, Waiting } from '@/booking/Extras.tsx'
import { JourneyMap } from '@/booking/JourneyMap.tsx'
import { ProofOf } from '@/booking/ProofOf.tsx'
import { canCall } from '@/booking/people.ts'
import { bookingQuery } from '@/booking/query.ts'
import { StateWord } from '@/booking/StateWord.tsx'
import { Timeline } from '@/booking/Timeline.tsx'
import { day, moment, money, number } from '@/i18n/format.ts'
import { When } from '@/later/When.tsx'
import { suggested, useAreaZone } from '@/later/zone.ts'
import { changeable } from '@/stops/wish.ts'
import { Fold } from '@/ui/Fold.tsx'
import { Button, Failure, Skeleton } from '@/ui/index.tsx'
import { CancelDialog } from './CancelDialog.tsx'
import { draftOf, setDraft } from './draft.ts'
import { PriceItems } from './PriceItems.tsx'
import { RatingForm } from './RatingForm.tsx'

const FavouriteButton = part(async () => {
  const { words, FavouriteButton } = await import('@/later/Favourite.tsx')
  await words()
  return { default: FavouriteButton }
})
const TimeDialog = part(async () => {
  const { words, TimeDialog } = await import('@/later/TimeDialog.tsx')
  await words()
  return { default: TimeDialog }
})

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

const OLD_MS = 10_000
const cancellable: Schemas['BookingState'][] = [
  'scheduled',
  'requested',
  'offered',
  'assigned',
  'arrived_pickup',
]
const over: Schemas['BookingState'][] = ['delivered', 'cancelled', 'expired', 'failed', 'returned']
const onTheWay: Schemas['BookingState'][] = ['assigned', 'picked_up', 'returning']
const underway: Schemas['BookingState'][] = [
  'assigned',
  'arrived_pickup',
  'picked_up',
  'arrived_dropoff',
  'returning',
  'arrived_return',
]

export function BookingPage() {
  const { t } = useTranslation()
  const { id = '' } = useParams()
  const query = useQuery({
    ...bookingQuery(id),
  })
  if (query.data !== undefined) return <Shown booking={query.data} />
  if (query.error)
    return (
      <div className="grid gap-3 p-4">
        <Failure error={query.error} retry={() => void query.refetch()} />
        <Link to="/book/history" className="text-accent underline">
          {t('nav.history')}
        </Link>
      </div>
    )
  return (
    <div className="grid gap-3 p-4">
      <Skeleton className="h-drive" />
      <Skeleton className="h-64" />
    </div>
  )
}

function Shown({ booking }: { booking: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const seen = useBookingPosition(underway.includes(booking.state) ? booking.id : null)
  const position = onTheWay.includes(booking.state) ? seen : null // while he is at a stop he is not followed
  return (
    <div className="flex h-full flex-col-reverse md:flex-row">
      <div className="grid max-h-[65%] content-start gap-4 overflow-auto border-t border-line bg-panel p-4 md:max-h-none md:w-96 md:shrink-0 md:border-e md:border-t-0">
        <Head booking={booking} />
        <DriverCard booking={booking} seen={position?.at ?? null} />
        <Actions booking={booking} />
        <Stops booking={booking} />
        <details>
          <summary className="min-h-touch content-center font-medium">
            {t(over.includes(booking.state) ? 'booking.receipt' : 'price.title')} ·{' '}
            <span className="figures">{money(booking.price.total, booking.price.currency)}</span>
          </summary>
          <PriceItems
            items={booking.price.items}
            taxes={booking.price.taxes}
            total={booking.price.total}
            currency={booking.price.currency}
          />
          <Extras terms={booking} currency={booking.price.currency} />
          <p className="mt-2 text-sm text-quiet">{t(`payment.${booking.payment}`)}</p>
        </details>
        <Fold summary={t('booking.timeline')}>
          <Timeline bookingId={booking.id} />
        </Fold>
        {over.includes(booking.state) && <Custody bookingId={booking.id} code={booking.code} />}
      </div>
      <JourneyMap stops={booking.stops} position={position} zoom={14} className="min-h-40 grow" />
    </div>
  )
}

/** A moment that may be days away. */
function soonOrDay(at: string, now: number): string {
  return Date.parse(at) - now < 3_600_000 ? moment(at, now) : day(at)
}

/** The largest thing: what is going on, and when. */
function Head({ booking }: { booking: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const now = useNow()
  const next = booking.stops.find(isComing)
  const between = next ? windowOf(next, now) : null
  return (
    <header aria-live="polite">
      <p className="text-sm text-quiet">
        <bdi>{booking.code}</bdi> · {day(booking.created_at)}
      </p>
      <h1 className="text-xl font-semibold">
        <StateWord state={booking.state} driver={booking.driver} />
      </h1>
      {booking.driver?.free_at && <p>{t('booking.waits')}</p>}
      {next?.eta && (
        <p className="figures text-lg">
          {between
            ? t(`arrive.${next.kind}`, between)
            : t(`booking.eta.${next.kind}`, { when: moment(next.eta, now) })}
        </p>
      )}
      {booking.pickup_window && !over.includes(booking.state) && (
        <p className="text-lg">
          {t('later.pickup')} <When window={booking.pickup_window} />
        </p>
      )}
      {booking.state === 'scheduled' && booking.dispatch_at && (
        <p className="text-quiet">{t('later.search', { when: soonOrDay(booking.dispatch_at, now) })}</p>
      )}
      <Waiting booking={booking} />
      {booking.state === 'expired' && <p>{t('booking.nobody')}</p>}
      {booking.reason && <p className="text-quiet">{booking.reason}</p>}
    </header>
  )
}

function DriverCard({ booking, seen }: { booking: Schemas['Booking']; seen: string | null }) {
  const { t } = useTranslation()
  const now = useNow()
  const { driver } = booking
  if (driver === null) return null
  return (
    <section
      aria-label={t('booking.driver')}
      className="flex flex-wrap items-center gap-3 rounded-panel border border-line p-3"
    >
      <div className="min-w-0 grow">
        <p className="font-medium">
          <bdi>{driver.name ?? t('booking.driver')}</bdi>
          {driver.rating !== null && (
            <span className="figures text-quiet"> ★ {number(driver.rating, 1)}</span>
          )}
        </p>
        <p className="text-sm text-quiet">
          {t(`vehicle.${booking.vehicle}`)} <bdi>{booking.vehicle_plate}</bdi>
        </p>
        {seen && now - Date.parse(seen) > OLD_MS && (
          <p className="text-sm text-waits">{t('track.seen', { when: moment(seen, now) })}</p>
        )}
      </div>
      {canCall(driver.phone) && (
        <Button asChild>
          <a href={`tel:${driver.phone}`}>{t('booking.call')}</a>
        </Button>
      )}
    </section>
  )
}

function Stops({ booking }: { booking: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const now = useNow(10_000)
  const client = useQueryClient()
  const open = !over.includes(booking.state)
  const asked = open && booking.stops.some((s) => s.proof?.missing.includes('pin'))
  const pins = useQuery({
    queryKey: ['pins', booking.id, booking.stops_revision], // by number
    queryFn: async () =>
      (await data(api.GET('/v1/bookings/{id}/pins', { params: { path: { id: booking.id } } }))).items,
    enabled: asked,
    staleTime: Number.POSITIVE_INFINITY,
  })
  const pinOf = (stop: Schemas['Stop']) =>
    asked && stop.proof?.missing.includes('pin') ? pins.data?.find((p) => p.stop === stop.index) : undefined
  return (
    <ol className="grid gap-2">
      {booking.stops.map((stop) => (
        <li key={stop.index} className="flex gap-3">
          <span aria-hidden className="figures w-4 text-end text-quiet">
            {stop.index + 1}
          </span>
          <span className="grow">
            <bdi>{stop.address ?? t(`stop.${stop.kind}`)}</bdi>
            {stop.contact?.name && <span className="block text-sm text-quiet">{stop.contact.name}</span>}
            <Suspense>
              <StopNote booking={booking} stop={stop} open={open} onDone={(b) => takeBooking(client, b)} />
            </Suspense>
            {pinOf(stop) && (
              <span className="block">
                {t('proof.yourPin')} <strong className="figures text-lg">{pinOf(stop)?.pin}</strong>
                <span className="block text-sm text-quiet">{t('proof.pinMore')}</span>
              </span>
            )}
            {stop.proof?.given && booking.tracking_token && (
              <ProofOf given={stop.proof.given} token={booking.tracking_token} />
            )}
          </span>
          <span className="text-end text-sm text-quiet">
            {isComing(stop) ? <Arrival times={stop} now={now} /> : t(`stopState.${stop.state}`)}
          </span>
        </li>
      ))}
    </ol>
  )
}

function Actions({ booking }: { booking: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const client = useQueryClient()
  const zone = useAreaZone()
  const link = new URL(`/track/${booking.tracking_token}`, window.location.origin).href
  const share = useMutation({
    mutationFn: () =>
      navigator.share === undefined
        ? navigator.clipboard.writeText(link)
        : navigator.share({ title: booking.code, url: link }),
  })
  function again() {
    setDraft(draftOf(booking))
    navigate('/book?step=vehicle')
  }
  function later() {
    setDraft({ ...draftOf(booking), when: suggested(serverNow(), zone) })
    navigate('/book')
  }
  return (
    <>
      <div className="flex flex-wrap gap-2">
        {!over.includes(booking.state) && (
          <Button onClick={() => share.mutate()}>
            {share.isSuccess ? t('booking.copied') : t('booking.share')}
          </Button>
        )}
        {booking.state === 'scheduled' && booking.pickup_window && (
          <Suspense fallback={<Button disabled>{t('later.change')}</Button>}>
            <TimeDialog
              booking={{ ...booking, pickup_window: booking.pickup_window }}
              onDone={(b) => takeBooking(client, b)}
            />
          </Suspense>
        )}
        {changeable.includes(booking.state) && (
          <Suspense>
            <ChangeStops booking={booking} onDone={(b) => takeBooking(client, b)} />
          </Suspense>
        )}
        {cancellable.includes(booking.state) && (
          <CancelDialog booking={booking} onDone={(b) => takeBooking(client, b)} />
        )}
        {over.includes(booking.state) && (
          <Button kind={booking.state === 'expired' ? 'primary' : 'plain'} onClick={again}>
            {t(booking.state === 'expired' ? 'booking.retry' : 'booking.rebook')}
          </Button>
        )}
        {booking.state === 'expired' && <Button onClick={later}>{t('later.schedule')}</Button>}
      </div>
      {booking.state === 'delivered' && booking.driver && (
        <Suspense>
          <FavouriteButton booking={{ ...booking, driver: booking.driver }} />
        </Suspense>
      )}
      {booking.state === 'delivered' && (
        <RatingForm
          rating={booking.rating}
          send={(body) =>
            data(api.POST('/v1/bookings/{id}/rating', { params: { path: { id: booking.id } }, body }))
          }
          onDone={(b) => takeBooking(client, b)}
        />
      )}
    </>
  )
}
