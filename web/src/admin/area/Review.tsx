/** What saving would change: how much is added and lost, and who of last week would have been outside. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { day, number } from '@/i18n/format.ts'
import type { Change } from './measure.ts'
import type { Shape } from './shape.ts'

export type Weighed = { shape: Shape; change: Change | null; preview: Schemas['ServiceAreaPreview'] }
type Props = { before: Shape; weighed: Weighed }
export function Review({ before, weighed: { shape, change, preview } }: Props) {
  const { t } = useTranslation()
  const km2 = (value: number) => t('area.km2', { number: number(value, value < 10 ? 2 : 1) })
  const lines: [string, string][] = change
    ? [
        [t('area.now'), km2(change.now)],
        [t('area.added'), `+ ${km2(change.added)}`],
        [t('area.lost'), `− ${km2(change.lost)}`],
      ]
    : []
  return (
    <div className="grid grid-cols-1 gap-2">
      {shape.length === 0 ? (
        <p>{t('area.becomesAny')}</p>
      ) : before.length === 0 ? (
        <p>{t('area.wasAny')}</p>
      ) : change === null ? (
        <p>{t('area.notReckoned')}</p>
      ) : null}
      {lines.length > 0 && (
        <dl className="figures grid max-w-md grid-cols-[1fr_auto] gap-x-4 gap-y-1">
          {lines.map(([what, much]) => (
            <div key={what} className="contents">
              <dt className="text-quiet">{what}</dt>
              <dd className="text-end font-medium">
                <bdi>{much}</bdi>
              </dd>
            </div>
          ))}
        </dl>
      )}
      <p className={preview.outside > 0 ? 'text-waits' : ''}>
        {preview.bookings === 0
          ? t('area.noBookings')
          : t('area.bookings', {
              outside: number(preview.outside),
              all: number(preview.bookings),
              from: day(preview.from),
            })}
      </p>
    </div>
  )
}
