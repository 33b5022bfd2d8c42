/** One vehicle: who drives it, what it is doing, where it was. */
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { api, data } from '@/api/client.ts'
import { serverNow } from '@/api/session.ts'
import { moment } from '@/i18n/format.ts'
import { Button, Skeleton } from '@/ui/index.tsx'
import type { Vehicle } from './fleet.ts'

const TRAIL_MS = 60 * 60_000

export function useTrail(driverId: string | null): [number, number][] {
  const query = useQuery({
    queryKey: ['trail', driverId],
    enabled: driverId !== null,
    refetchInterval: 15_000,
    queryFn: () =>
      data(
        api.GET('/v1/drivers/{id}/trail', {
          params: {
            path: { id: driverId ?? '' },
            query: {
              from: new Date(serverNow() - TRAIL_MS).toISOString(),
              to: new Date(serverNow()).toISOString(),
              limit: 200,
            },
          },
        }),
      ),
  })
  return query.data?.fixes.map((f) => [f.lng, f.lat] as [number, number]) ?? []
}

type Props = {
  vehicle: Vehicle | undefined
  now: number
  following: boolean
  onFollow: () => void
  onJob: (id: string) => void
  onClose: () => void
}
export function VehicleDetail({ vehicle, now, following, onFollow, onJob, onClose }: Props) {
  const { t } = useTranslation()
  return (
    <section aria-label={t('dispatch.vehicle')} className="grid content-start gap-3 p-4">
      <Button kind="quiet" size="compact" className="justify-self-end" onClick={onClose}>
        ✕ {t('dispatch.close')}
      </Button>
      {vehicle === undefined ? (
        <Skeleton className="h-24" />
      ) : (
        <>
          <h2 className="text-lg font-semibold">{vehicle.name ?? vehicle.id}</h2>
          <p className="text-sm text-quiet">
            {t(`vehicle.${vehicle.vehicle}`)} · {t(`duty.${vehicle.duty}`)} ·{' '}
            {t('track.seen', { when: moment(new Date(vehicle.at).toISOString(), now) })}
          </p>
          <div className="flex flex-wrap gap-2">
            <Button size="compact" aria-pressed={following} onClick={onFollow}>
              {t(following ? 'dispatch.unfollow' : 'dispatch.follow')}
            </Button>
            {vehicle.bookingId && (
              <Button size="compact" onClick={() => onJob(vehicle.bookingId as string)}>
                {t('dispatch.itsJob')}
              </Button>
            )}
          </div>
        </>
      )}
    </section>
  )
}
