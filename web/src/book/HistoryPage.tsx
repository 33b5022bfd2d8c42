/** A customer's bookings: those under way first of all, then what has been. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link, useSearchParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { StateWord } from '@/booking/StateWord.tsx'
import { Way } from '@/booking/Way.tsx'
import { day, money } from '@/i18n/format.ts'
import { When } from '@/later/When.tsx'
import { Button, Empty, Failure, Skeleton } from '@/ui/index.tsx'

const filters = ['all', 'scheduled', 'active', 'finished'] as const

export function HistoryPage() {
  const { t } = useTranslation()
  const [query, setQuery] = useSearchParams()
  const filter = filters.find((f) => f === query.get('state')) ?? 'all'
  const list = useInfiniteQuery({
    queryKey: ['bookings', filter],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      data(
        api.GET('/v1/bookings', {
          params: {
            query: {
              limit: 20,
              ...(filter !== 'all' && { state: filter }),
              ...(pageParam !== null && { cursor: pageParam }),
            },
          },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor,
  })
  const bookings = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <div className="mx-auto grid max-w-2xl grid-cols-1 gap-3 p-4">
      <h1 className="text-lg font-semibold">{t('nav.history')}</h1>
      <fieldset className="flex flex-wrap gap-2">
        <legend className="sr-only">{t('history.filter')}</legend>
        {filters.map((f) => (
          <Button
            key={f}
            aria-pressed={f === filter}
            onClick={() => setQuery(f === 'all' ? {} : { state: f }, { replace: true })}
          >
            {t(f === 'scheduled' ? 'later.filter' : `history.${f}`)}
          </Button>
        ))}
      </fieldset>
      {list.isPending && [0, 1, 2].map((n) => <Skeleton key={n} className="h-16" />)}
      {list.error && <Failure error={list.error} retry={() => void list.refetch()} />}
      {list.isSuccess && bookings.length === 0 && (
        <Empty
          action={
            filter === 'all' ? (
              <Button kind="primary" asChild>
                <Link to="/book">{t('history.first')}</Link>
              </Button>
            ) : (
              <Button onClick={() => setQuery({}, { replace: true })}>{t('history.showAll')}</Button>
            )
          }
        >
          {t(filter === 'all' ? 'history.none' : 'history.noneSuch')}
        </Empty>
      )}
      <ul className="grid grid-cols-1 gap-2">
        {bookings.map((booking) => (
          <Row key={booking.id} booking={booking} />
        ))}
      </ul>
      {list.hasNextPage && (
        <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t('more')}
        </Button>
      )}
    </div>
  )
}

function Row({ booking }: { booking: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const last = booking.stops.at(-1)
  return (
    <li>
      <Link
        to={`/book/${booking.id}`}
        className="flex gap-3 rounded-panel border border-line bg-panel p-3 hover:border-quiet"
      >
        <span className="min-w-0 grow">
          <span className="block truncate font-medium">
            <Way
              from={booking.stops[0]?.address ?? t('stop.pickup')}
              to={last?.address ?? t('stop.dropoff')}
            />
          </span>
          <StateWord state={booking.state} driver={booking.driver} className="text-sm" />
          <span className="block text-sm text-quiet">
            {booking.state === 'scheduled' && booking.pickup_window ? (
              <When window={booking.pickup_window} />
            ) : (
              day(booking.created_at)
            )}{' '}
            · {t(`vehicle.${booking.vehicle}`)} · <bdi>{booking.code}</bdi>
          </span>
        </span>
        <span className="figures font-semibold">{money(booking.price.total, booking.price.currency)}</span>
      </Link>
    </li>
  )
}
