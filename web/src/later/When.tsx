/** A window in words, by the clock of the service area, which is named where the reader's shows something else. */
import { useTranslation } from 'react-i18next'
import { between } from '@/i18n/format.ts'
import { differs, useAreaZone, type Window } from './zone.ts'

export function When({ window }: { window: Window }) {
  const { t } = useTranslation()
  const zone = useAreaZone()
  const text = between(window, zone)
  return <bdi>{differs(zone, Date.parse(window.from)) ? t('later.there', { when: text, zone }) : text}</bdi>
}
