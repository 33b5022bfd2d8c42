/** What has happened to a booking, oldest first. */
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { api, data } from '@/api/client.ts'
import { day } from '@/i18n/format.ts'
import { Failure, Skeleton } from '@/ui/index.tsx'
import { useStateWord } from './StateWord.tsx'

export function Timeline({ bookingId }: { bookingId: string }) {
  const { t } = useTranslation()
  const word = useStateWord()
  const query = useQuery({
    queryKey: ['timeline', bookingId],
    queryFn: () => data(api.GET('/v1/bookings/{id}/timeline', { params: { path: { id: bookingId } } })),
  })
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />
  if (query.data === undefined) return <Skeleton className="h-24" />
  return (
    <ol className="grid gap-2 border-s border-line ps-3">
      {query.data.items.map((entry) => (
        <li key={entry.seq}>
          <span className="block">
            {t(`event.${entry.type.replace('booking.', '')}`)}
            {entry.type === 'booking.progressed' && <> · {word(entry.data.state)}</>}
          </span>
          <span className="block text-sm text-quiet">
            {day(entry.at)} · {t(`actor.${entry.actor.kind}`)}
            {entry.data.reason && <> · {entry.data.reason}</>}
          </span>
        </li>
      ))}
    </ol>
  )
}
