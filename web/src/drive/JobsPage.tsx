/** The jobs that have been, newest first. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { canCall } from '@/booking/people.ts'
import { Way } from '@/booking/Way.tsx'
import { day } from '@/i18n/format.ts'
import { Button, cx, Empty, Failure, Skeleton } from '@/ui/index.tsx'

export function JobsPage() {
  const { t } = useTranslation()
  const list = useInfiniteQuery({
    queryKey: ['bookings', 'finished'],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      data(
        api.GET('/v1/bookings', {
          params: {
            query: { state: 'finished', limit: 20, ...(pageParam !== null && { cursor: pageParam }) },
          },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor,
  })
  const jobs = list.data?.pages.flatMap((page) => page.items)
  return (
    <div className="mx-auto grid max-w-xl gap-4 p-4">
      <h1 className="text-lg font-semibold">{t('nav.jobs')}</h1>
      {list.isPending && <Skeleton className="h-32" />}
      {list.error && <Failure size="drive" error={list.error} retry={() => void list.refetch()} />}
      {jobs?.length === 0 && <Empty>{t('drive.jobs.none')}</Empty>}
      <ul className="grid gap-2">
        {jobs?.map((job) => (
          <JobLine key={job.id} job={job} />
        ))}
      </ul>
      {list.hasNextPage && (
        <Button size="drive" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t('more')}
        </Button>
      )}
    </div>
  )
}

const marks: Partial<Record<Schemas['BookingState'], [string, string]>> = {
  delivered: ['✓', 'text-good'],
  failed: ['!', 'text-bad'],
}

export function JobLine({ job }: { job: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const [icon, tone] = marks[job.state] ?? ['✕', 'text-quiet']
  const first = job.stops[0]
  const last = job.stops.at(-1)
  return (
    <li className="rounded-panel border border-line bg-panel p-3">
      <p className="flex justify-between gap-3 text-sm text-quiet">
        <bdi>{job.code}</bdi>
        <span>{day(job.ended_at ?? job.updated_at)}</span>
      </p>
      <p>
        <Way from={first?.address ?? t('stop.pickup')} to={last?.address ?? t('stop.dropoff')} />
      </p>
      <p className={cx('text-sm', tone)}>
        <span aria-hidden>{icon}</span> {t(`drive.state.${job.state}`)}
        {job.reason && <span className="text-quiet"> · {job.reason}</span>}
      </p>
      <ul className="grid gap-1 text-sm text-quiet">
        {job.stops.map((stop) => stop.contact && <Person key={stop.index} contact={stop.contact} />)}
      </ul>
    </li>
  )
}

/** Who was there: to be called for a while after the job, then a masked number. */
function Person({ contact }: { contact: NonNullable<Schemas['Stop']['contact']> }) {
  const { t } = useTranslation()
  const name = contact.name ?? t('drive.contact')
  const number = <bdi dir="ltr">{contact.phone}</bdi>
  return (
    <li>
      <bdi>{name}</bdi>{' '}
      {canCall(contact.phone) ? (
        <a
          className="inline-flex min-h-touch items-center text-accent underline"
          href={`tel:${contact.phone}`}
          aria-label={t('drive.callName', { name })}
        >
          {number}
        </a>
      ) : (
        number
      )}
    </li>
  )
}
