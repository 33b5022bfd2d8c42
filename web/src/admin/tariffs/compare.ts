/** What stands in tariffs, line by line, so that two of them can be laid side by side. */
import type { TFunction } from 'i18next'
import type { Schemas } from '@/api/client.ts'
import { date, duration, money, number, percent } from '@/i18n/format.ts'
import { amounts, type Tariffs } from './draft.ts'

export type Line = { key: string; group: string; name: string; text: string }
type Like = Omit<Tariffs, 'version' | 'next_cursor'>

export function linesOf(t: TFunction, tariffs: Like): Line[] {
  const lines: Line[] = []
  const put = (key: string, group: string, name: string, text: string | null) => {
    if (text !== null) lines.push({ key, group, name, text })
  }
  for (const item of tariffs.items) ratesOf(t, tariffs.currency, item, put)
  const general = t('tariffs.general')
  put('timezone', general, t('tariffs.timezone'), tariffs.timezone ?? 'UTC')
  for (const zone of tariffs.zones ?? [])
    put(
      `zone/${zone.name}`,
      t('tariffs.zones'),
      zone.name,
      zone.area.map((p) => `${p.lat}, ${p.lng}`).join(' · '),
    )
  const { night, weekend, holiday, surge, cancellation, returns } = tariffs
  if (night)
    put('night', general, t('tariffs.night'), `${night.from}–${night.to}: +${percent(night.add_percent)}`)
  if (weekend) {
    const days = (weekend.days ?? ['sat', 'sun']).map((d) => t(`tariffs.days.${d}`)).join(', ')
    put('weekend', general, t('tariffs.weekend'), `${days}: +${percent(weekend.add_percent)}`)
  }
  if (holiday)
    put(
      'holiday',
      general,
      t('tariffs.holiday'),
      `${holiday.dates.map(date).join(', ')}: +${percent(holiday.add_percent)}`,
    )
  if (surge)
    put(
      'surge',
      general,
      t('tariffs.surge'),
      `${percent(surge.from_percent ?? 100)}–${percent(surge.full_percent)}: +${percent(surge.add_percent)}`,
    )
  for (const tax of tariffs.taxes ?? [])
    put(`tax/${tax.name}`, t('tariffs.taxes'), tax.name, percent(tax.rate_bp / 100))
  put(
    'included',
    t('tariffs.taxes'),
    t('tariffs.included'),
    t(tariffs.taxes_included ? 'tariffs.yes' : 'tariffs.no'),
  )
  put(
    'commission',
    general,
    t('tariffs.commission'),
    tariffs.commission_bp === undefined ? t('tariffs.asConfigured') : percent(tariffs.commission_bp / 100),
  )
  if (cancellation)
    put(
      'cancellation',
      general,
      t('tariffs.cancellation'),
      t('tariffs.cancellationLine', {
        free: duration((cancellation.free_minutes ?? 0) * 60),
        assigned: percent(cancellation.assigned_percent),
        arrived: percent(cancellation.arrived_percent),
      }),
    )
  if (returns)
    put(
      'returns',
      general,
      t('tariffs.returns'),
      t('tariffs.returnsLine', { percent: percent(returns.percent) }),
    )
  if (cancellation?.late_percent)
    put(
      'late',
      general,
      t('tariffs.latePercent'),
      `${duration((cancellation.late_minutes ?? 0) * 60)}: ${percent(cancellation.late_percent)}`,
    )
  return lines
}

type Put = (key: string, group: string, name: string, text: string | null) => void
function ratesOf(t: TFunction, currency: string, item: Schemas['Tariff'], put: Put): void {
  const group = t(`vehicle.${item.vehicle}`) + (item.zone ? ` · ${item.zone}` : '')
  const id = `${item.vehicle}/${item.zone ?? ''}`
  for (const a of amounts) put(`${id}/${a}`, group, t(`tariffs.amount.${a}`), money(item[a] ?? 0, currency))
  put(`${id}/free`, group, t('tariffs.amount.waiting_free_minutes'), number(item.waiting_free_minutes ?? 0))
  for (const c of ['capacity_kg', 'capacity_l'] as const)
    put(`${id}/${c}`, group, t(`tariffs.amount.${c}`), item[c] === undefined ? null : number(item[c]))
}

export type Pair = { key: string; group: string; name: string; old: string | null; new: string | null }
/** The lines of both, in the order of the second; what only the first has comes last. */
export function paired(before: Line[], after: Line[]): Pair[] {
  const was = new Map(before.map((line) => [line.key, line]))
  const pairs: Pair[] = after.map((line) => ({
    ...line,
    old: was.get(line.key)?.text ?? null,
    new: line.text,
  }))
  const is = new Set(after.map((line) => line.key))
  for (const line of before) if (!is.has(line.key)) pairs.push({ ...line, old: line.text, new: null })
  return pairs
}
