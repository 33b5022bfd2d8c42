/** When the goods are to be fetched: a day and two times, by the clock of the service area. Wants `words` first. */
import { useTranslation } from 'react-i18next'
import { useNow } from '@/app/hooks.ts'
import { between } from '@/i18n/format.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Field } from '@/ui/index.tsx'
import { differs, faultOf, ownZone, sent, type Typed, typed, windowOf } from './zone.ts'

export const words = () => loadWords('when')

type Props = { zone: string; when: Typed; onChange: (when: Typed) => void }
export function WhenFields({ zone, when, onChange }: Props) {
  const { t } = useTranslation()
  const now = useNow(10_000)
  const fault = faultOf(when, zone, now)
  const window = windowOf(when, zone)
  const today = typed(sent({ from: now, to: now }), zone).day
  return (
    <div className="grid gap-2">
      <Field
        label={t('when.day')}
        type="date"
        required
        min={today}
        value={when.day}
        onChange={(e) => onChange({ ...when, day: e.target.value })}
      />
      <div className="grid grid-cols-2 gap-2">
        <Field
          label={t('when.from')}
          type="time"
          required
          value={when.from}
          onChange={(e) => onChange({ ...when, from: e.target.value })}
        />
        <Field
          label={t('when.to')}
          type="time"
          required
          value={when.to}
          onChange={(e) => onChange({ ...when, to: e.target.value })}
        />
      </div>
      {fault && (
        <p role="alert" className="text-sm text-bad">
          {t(fault)}
        </p>
      )}
      {!fault && differs(zone, window.from) && (
        <p className="text-sm text-quiet">
          {t('when.zone', { zone, yours: between(sent(window), ownZone()) })}
        </p>
      )}
    </div>
  )
}
