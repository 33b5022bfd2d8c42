/** The days of the week, as the API calls them and as people do. */
import i18next from 'i18next'
import { useTranslation } from 'react-i18next'

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Weekday = (typeof weekdays)[number]

/** 2024-01-01 was a Monday. */
export function nameOf(weekday: string, style: 'long' | 'short' = 'long'): string {
  const at = Date.UTC(2024, 0, 1 + weekdays.indexOf(weekday as Weekday))
  return new Intl.DateTimeFormat(i18next.language, { weekday: style, timeZone: 'UTC' }).format(at)
}
export function weekdayOf(day: string): Weekday {
  return weekdays[(new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7] ?? 'mon'
}

type Props = { chosen: string[]; onChoose: (chosen: Weekday[]) => void }
export function Weekdays({ chosen, onChoose }: Props) {
  const { t } = useTranslation()
  return (
    <fieldset className="flex flex-wrap gap-x-4">
      <legend className="text-sm font-medium">{t('recurring.days')}</legend>
      {weekdays.map((weekday) => (
        <label key={weekday} className="flex min-h-touch items-center gap-2">
          <input
            type="checkbox"
            className="size-5 shrink-0 accent-(--accent)"
            checked={chosen.includes(weekday)}
            onChange={(e) =>
              onChoose(weekdays.filter((w) => (w === weekday ? e.target.checked : chosen.includes(w))))
            }
          />
          {nameOf(weekday)}
        </label>
      ))}
    </fieldset>
  )
}
