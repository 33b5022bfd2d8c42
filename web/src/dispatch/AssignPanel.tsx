/** Who could take a job now, the nearest first, and giving it to one of them. Also a vehicle may be dragged here from
 * the list; a click does the same. */
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data } from '@/api/client.ts'
import { distance } from '@/i18n/format.ts'
import { Button, Failure, Skeleton } from '@/ui/index.tsx'
import { type Booking, takeJob } from './jobs.ts'

const REREAD_MS = 5_000
const RADIUS_M = 50_000

export function AssignPanel({ booking }: { booking: Booking }) {
  const { t } = useTranslation()
  const [asked, setAsked] = useState<string | null>(null)
  const pickup = booking.stops[0]
  const near = useQuery({
    queryKey: ['near', booking.id],
    queryFn: () =>
      data(
        api.GET('/v1/drivers/nearby', {
          params: {
            query: {
              lat: pickup?.lat ?? 0,
              lng: pickup?.lng ?? 0,
              radius_m: RADIUS_M,
              vehicle: booking.vehicle,
              limit: 8,
            },
          },
        }),
      ),
    refetchInterval: REREAD_MS,
  })
  const assign = useMutation({
    mutationFn: (driverId: string) => {
      setAsked(driverId)
      return data(
        api.POST('/v1/bookings/{id}/assign', {
          params: { path: { id: booking.id } },
          body: { driver_id: driverId },
        }),
      )
    },
    onSuccess: takeJob,
    onSettled: () => setAsked(null),
  })
  return (
    <section aria-label={t('assign.title')} className="grid gap-2 rounded-panel border border-line p-3">
      <h3 className="font-medium">{t('assign.title')}</h3>
      {near.error !== null && <Failure error={near.error} retry={() => void near.refetch()} />}
      {near.isPending && <Skeleton className="h-16" />}
      {near.data?.items.length === 0 && (
        <p className="text-sm text-quiet">{t('assign.none', { vehicle: t(`vehicle.${booking.vehicle}`) })}</p>
      )}
      <ol className="grid gap-1">
        {near.data?.items.map((driver) => {
          const id = driver.driver_id
          if (id === undefined) return null
          return (
            <li key={id} className="flex items-center gap-2 text-sm">
              <span className="min-w-0 grow truncate">
                <bdi>{driver.name ?? id}</bdi>
              </span>
              <span className="figures text-quiet">{distance(driver.distance_m)}</span>
              <Button
                size="compact"
                busy={asked === id}
                disabled={assign.isPending}
                aria-label={t('assign.to', { name: driver.name ?? id })}
                onClick={() => assign.mutate(id)}
              >
                {t('assign.do')}
              </Button>
            </li>
          )
        })}
      </ol>
      {assign.error !== null && <Failure error={assign.error} />}
    </section>
  )
}
