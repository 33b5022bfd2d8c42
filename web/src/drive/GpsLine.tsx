/** What is known of the position, how good it is and how old; and how to put right what is wrong. */
import { useTranslation } from 'react-i18next'
import { useNow } from '@/app/hooks.ts'
import { age, distance } from '@/i18n/format.ts'
import { quality } from './fix.ts'
import { useGps } from './hooks.ts'

const AGE_MS_MIN = 10_000 // younger is now
const tones = { good: ['●', 'text-good'], weak: ['◐', 'text-waits'], old: ['○', 'text-waits'] } as const

export function GpsLine() {
  const { t } = useTranslation()
  const gps = useGps()
  useNow() // its age grows
  const now = Date.now()
  if (gps.state === 'on') {
    const how = quality(gps.accuracyM, gps.at, now)
    const [icon, tone] = tones[how]
    return (
      <div>
        <p role="status" className={tone}>
          <span aria-hidden>{icon}</span> {t(`drive.gps.${how}`, { accuracy: distance(gps.accuracyM) })}
        </p>
        {now - gps.at > AGE_MS_MIN && (
          <p className="figures text-sm text-quiet">{t('drive.gps.age', { age: age(now - gps.at) })}</p>
        )}
        {how !== 'good' && <p className="text-sm">{t('drive.gps.weakHelp')}</p>}
      </div>
    )
  }
  const bad = gps.state === 'denied' || gps.state === 'unavailable'
  return (
    <div
      role={bad ? 'alert' : 'status'}
      className={bad ? 'rounded-panel border border-bad p-3' : 'text-quiet'}
    >
      <p className={bad ? 'font-semibold text-bad' : ''}>
        <span aria-hidden>{bad ? '!' : gps.state === 'asking' ? '◌' : '○'}</span>{' '}
        {t(`drive.gps.${gps.state}`)}
      </p>
      {bad && <p>{t(`drive.gps.${gps.state}Help`)}</p>}
    </div>
  )
}
