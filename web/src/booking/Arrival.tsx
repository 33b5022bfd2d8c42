/** When the driver will be there: the window that the server gives; before it has one, about when. */
import { useTranslation } from 'react-i18next'
import { clock, moment } from '@/i18n/format.ts'

export type Times = { eta: string | null; eta_from?: string; eta_to?: string }
/** He is still to come there, and it is known when. Who has said that he is there is not reckoned any more. */
export function isComing(stop: Times & { state: string }): boolean {
  return stop.state === 'pending' && stop.eta !== null
}
/** The window as the start and the end of a sentence; null: there is none yet. No moment that is gone is promised. */
export function windowOf({ eta_from, eta_to }: Times, now: number): { from: string; to: string } | null {
  if (!eta_from || !eta_to) return null
  const from = Math.max(now, Date.parse(eta_from))
  if (Date.parse(eta_to) <= from) return null
  return { from: clock(new Date(from).toISOString()), to: clock(eta_to) }
}

/** Of one stop in a list: "12:05 – 12:15". */
export function Arrival({ times, now }: { times: Times; now: number }) {
  const { t } = useTranslation()
  const between = windowOf(times, now)
  if (between) return <span className="figures">{t('arrive.between', between)}</span>
  return times.eta && <span className="figures">{moment(times.eta, now)}</span>
}
