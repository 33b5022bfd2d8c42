/** Somebody else was quicker: what it is now, not only that it went wrong. */
import { useTranslation } from 'react-i18next'
import { StateWord } from '@/booking/StateWord.tsx'
import { Failure, sayProblem } from '@/ui/index.tsx'
import { isConflict } from './hands.ts'
import type { Booking } from './jobs.ts'

export function Conflict({ error, booking }: { error: unknown; booking: Booking }) {
  const { t } = useTranslation()
  if (!isConflict(error)) return <Failure error={error} />
  return (
    <div role="alert" className="grid gap-1 rounded-control border border-waits p-3 text-sm">
      <p>{error.kind === 'driver-unavailable' ? sayProblem(t, error) : t('hands.changed')}</p>
      <p>
        {t('hands.now')}: <StateWord state={booking.state} driver={booking.driver} />{' '}
        {booking.driver && <bdi className="font-medium">{booking.driver.name}</bdi>}
      </p>
    </div>
  )
}
