/** One vehicle: who drives it, what it is doing, where it was. */
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { moment } from '@/i18n/format.ts'
import { Button, Skeleton } from '@/ui/index.tsx'
import type { Vehicle } from './fleet.ts'

type Props = {
  vehicle: Vehicle | undefined
  now: number
  following: boolean
  onFollow: () => void
  onJob: (id: string) => void
  replays: boolean
  onReplay: () => void
  onClose: () => void
  /** Below what is known of it now. */
  children?: ReactNode
}
export function VehicleDetail(props: Props) {
  const { vehicle, now, following, onFollow, onJob, replays, onReplay, onClose, children } = props
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
            <Button size="compact" aria-pressed={replays} onClick={onReplay}>
              {t('console.replay')}
            </Button>
            {vehicle.bookingId && (
              <Button size="compact" onClick={() => onJob(vehicle.bookingId as string)}>
                {t('dispatch.itsJob')}
              </Button>
            )}
          </div>
          {children}
        </>
      )}
    </section>
  )
}
