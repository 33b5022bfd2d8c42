/** Tariffs as somebody types them: figures are text, money is in its larger unit, rates are percent. The API has minor units
 * and basis points. */
import { z } from 'zod'
import type { Schemas } from '@/api/client.ts'
import { latinDigits } from '@/i18n/format.ts'

export type Tariffs = Schemas['Tariffs']
export type Request = Schemas['TariffsRequest']
export const vehicles = ['bike', 'car', 'van', 'truck'] as const
export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
/** What a rate has beside its amounts; none of it must be said. */
export const counts = ['waiting_free_minutes', 'capacity_kg', 'capacity_l'] as const
export const amounts = ['base', 'per_km', 'per_minute', 'minimum', 'per_stop', 'waiting_per_minute'] as const

const figure = (pattern: RegExp, fault: string) =>
  z
    .string()
    .trim()
    .overwrite(latinDigits)
    .overwrite((text) => text.replace(',', '.'))
    .regex(pattern, fault)
const money = figure(/^\d{1,6}(\.\d{1,3})?$/, 'set.invalid.money')
export const maybeMoney = figure(/^(\d{1,6}(\.\d{1,3})?)?$/, 'set.invalid.money')
const whole = (fault: string) => figure(/^\d{1,5}$/, fault)
export const maybeWhole = figure(/^\d{0,6}$/, 'set.invalid.whole')
const percent = figure(/^\d{1,3}(\.\d{1,2})?$/, 'set.invalid.percent')
const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'set.invalid.time')

const rate = z.object({
  vehicle: z.enum(vehicles),
  zone: z.string(),
  base: money,
  per_km: money,
  per_minute: money,
  minimum: money,
  per_stop: maybeMoney,
  waiting_per_minute: maybeMoney,
  waiting_free_minutes: maybeWhole,
  capacity_kg: maybeWhole,
  capacity_l: maybeWhole,
})
const corner = /^\s*(-?\d{1,2}(?:\.\d+)?)\s*[,;\s]\s*(-?\d{1,3}(?:\.\d+)?)\s*$/
export function cornersOf(text: string): { lat: number; lng: number }[] | null {
  const lines = latinDigits(text)
    .split('\n')
    .filter((line) => line.trim() !== '')
  const points = lines.map((line) => corner.exec(line))
  if (points.length < 3 || points.some((p) => p === null)) return null
  return points.map((p) => ({ lat: Number(p?.[1]), lng: Number(p?.[2]) }))
}
const part = <S extends z.ZodRawShape>(shape: S) =>
  z.discriminatedUnion('on', [
    z.object({ on: z.literal(true), ...shape }),
    // What is switched off may be half written.
    z.looseObject({ on: z.literal(false) }),
  ])

export const schema = z.object({
  items: z.array(rate).min(1, 'set.invalid.rate'),
  timezone: z.string().max(64, 'invalid.long'),
  zones: z.array(
    z.object({
      name: z.string().trim().min(1, 'invalid.required').max(40, 'invalid.long'),
      area: z.string().refine((text) => cornersOf(text) !== null, 'set.invalid.area'),
    }),
  ),
  night: part({ from: time, to: time, add_percent: whole('set.invalid.whole') }),
  weekend: part({
    days: z.array(z.enum(weekdays)).min(1, 'set.invalid.day'),
    add_percent: whole('set.invalid.whole'),
  }),
  holiday: part({
    dates: z
      .array(z.object({ date: z.string().regex(/^\d{4}-\d\d-\d\d$/, 'set.invalid.date') }))
      .min(1, 'set.invalid.day'),
    add_percent: whole('set.invalid.whole'),
  }),
  surge: part({
    from_percent: maybeWhole,
    full_percent: whole('set.invalid.whole'),
    add_percent: whole('set.invalid.whole'),
  }),
  taxes: z.array(
    z.object({
      name: z.string().trim().min(1, 'invalid.required').max(40, 'invalid.long'),
      rate_bp: percent,
    }),
  ),
  taxes_included: z.boolean(),
  commission_bp: figure(/^(\d{1,3}(\.\d{1,2})?)?$/, 'set.invalid.percent'),
  cancellation: part({
    free_minutes: maybeWhole,
    assigned_percent: whole('set.invalid.whole'),
    arrived_percent: whole('set.invalid.whole'),
    late_minutes: maybeWhole,
    late_percent: maybeWhole,
  }),
  returns: part({ percent: whole('set.invalid.whole') }),
  note: z.string().trim().max(500, 'invalid.long'),
  effective_at: z.string(),
})

type Switched<T> = T & { on: boolean }
export type Draft = {
  items: (Record<(typeof amounts)[number] | (typeof counts)[number] | 'zone', string> & {
    vehicle: Schemas['Vehicle']
  })[]
  timezone: string
  zones: { name: string; area: string }[]
  night: Switched<{ from: string; to: string; add_percent: string }>
  weekend: Switched<{ days: string[]; add_percent: string }>
  holiday: Switched<{ dates: { date: string }[]; add_percent: string }>
  surge: Switched<{ from_percent: string; full_percent: string; add_percent: string }>
  taxes: { name: string; rate_bp: string }[]
  taxes_included: boolean
  commission_bp: string
  cancellation: Switched<
    Record<'free_minutes' | 'assigned_percent' | 'arrived_percent' | 'late_minutes' | 'late_percent', string>
  >
  returns: Switched<{ percent: string }>
  note: string
  effective_at: string
}

type Part = 'night' | 'weekend' | 'holiday' | 'surge' | 'cancellation' | 'returns'
type Forgotten =
  | Exclude<keyof Schemas['Tariff'], keyof Draft['items'][number]>
  | { [P in Part]: Exclude<keyof NonNullable<Request[P]>, keyof Draft[P]> }[Part]
// Does not compile when the API has a member that the form would lose.
true satisfies [Forgotten] extends [never] ? true : Forgotten

export function digitsOf(currency: string): number {
  return (
    new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  )
}
const major = (amount: number | undefined, digits: number) =>
  amount === undefined ? '' : (amount / 10 ** digits).toFixed(amount % 10 ** digits === 0 ? 0 : digits)
export const minor = (text: string, digits: number) => Math.round(Number(text) * 10 ** digits)
const text = (value: number | undefined) => (value === undefined ? '' : String(value))
const hundredth = (bp: number | undefined) => (bp === undefined ? '' : String(bp / 100))

/** A new rate, of which nothing is said yet. */
export function emptyRate(vehicle: Schemas['Vehicle']): Draft['items'][number] {
  const figures = Object.fromEntries(amounts.map((a) => [a, ''])) as Record<(typeof amounts)[number], string>
  return { vehicle, zone: '', ...figures, waiting_free_minutes: '', capacity_kg: '', capacity_l: '' }
}

export function draftOf(t: Tariffs): Draft {
  const digits = digitsOf(t.currency)
  return {
    items: t.items.map((item) => ({
      ...emptyRate(item.vehicle),
      zone: item.zone ?? '',
      ...Object.fromEntries(amounts.map((a) => [a, major(item[a], digits)])),
      ...Object.fromEntries(counts.map((c) => [c, text(item[c])])),
    })),
    timezone: t.timezone ?? '',
    zones: (t.zones ?? []).map((z) => ({
      name: z.name,
      area: z.area.map((p) => `${p.lat}, ${p.lng}`).join('\n'),
    })),
    night: {
      on: t.night !== undefined,
      from: t.night?.from ?? '22:00',
      to: t.night?.to ?? '06:00',
      add_percent: text(t.night?.add_percent),
    },
    weekend: {
      on: t.weekend !== undefined,
      days: t.weekend?.days ?? ['sat', 'sun'],
      add_percent: text(t.weekend?.add_percent),
    },
    holiday: {
      on: t.holiday !== undefined,
      dates: (t.holiday?.dates ?? []).map((date) => ({ date })),
      add_percent: text(t.holiday?.add_percent),
    },
    surge: {
      on: t.surge !== undefined,
      from_percent: text(t.surge?.from_percent),
      full_percent: text(t.surge?.full_percent),
      add_percent: text(t.surge?.add_percent),
    },
    taxes: (t.taxes ?? []).map((x) => ({ name: x.name, rate_bp: hundredth(x.rate_bp) })),
    taxes_included: t.taxes_included ?? false,
    commission_bp: hundredth(t.commission_bp),
    cancellation: {
      on: t.cancellation !== undefined,
      free_minutes: text(t.cancellation?.free_minutes),
      assigned_percent: text(t.cancellation?.assigned_percent),
      arrived_percent: text(t.cancellation?.arrived_percent),
      late_minutes: text(t.cancellation?.late_minutes),
      late_percent: text(t.cancellation?.late_percent),
    },
    returns: { on: t.returns !== undefined, percent: text(t.returns?.percent) },
    note: '',
    effective_at: '',
  }
}

const bp = (percentText: string) => Math.round(Number(percentText) * 100)
const given = (name: string, value: string) => (value === '' ? {} : { [name]: Number(value) })

/** Members that the form has fields for, or that a version is given and not asked for. */
const own = [
  'currency',
  'items',
  'timezone',
  'zones',
  'night',
  'weekend',
  'holiday',
  'surge',
  'taxes',
  'taxes_included',
]
  .concat('commission_bp', 'cancellation', 'returns', 'note', 'effective_at')
  .concat('version', 'created_at', 'next_cursor')

/** What a draft of BASE that SCHEMA has passed asks for. What BASE has and the form does not know stays as it is. */
export function requestOf(d: Draft, base: Tariffs): Request {
  const { currency } = base
  const digits = digitsOf(currency)
  const items = d.items.map((item) => ({
    vehicle: item.vehicle,
    ...(item.zone && { zone: item.zone }),
    ...Object.fromEntries(amounts.filter((a) => item[a] !== '').map((a) => [a, minor(item[a], digits)])),
    ...Object.assign({}, ...counts.map((c) => given(c, item[c]))),
  })) as Request['items']
  const others = Object.fromEntries(Object.entries(base).filter(([name]) => !own.includes(name)))
  const request: Request = { ...others, currency, items, taxes_included: d.taxes_included }
  if (d.timezone) request.timezone = d.timezone
  if (d.zones.length > 0)
    request.zones = d.zones.map((z) => ({ name: z.name, area: cornersOf(z.area) ?? [] }))
  if (d.night.on)
    request.night = { from: d.night.from, to: d.night.to, add_percent: Number(d.night.add_percent) }
  if (d.weekend.on)
    request.weekend = { days: [...d.weekend.days], add_percent: Number(d.weekend.add_percent) }
  if (d.holiday.on)
    request.holiday = {
      dates: d.holiday.dates.map((x) => x.date),
      add_percent: Number(d.holiday.add_percent),
    }
  if (d.surge.on)
    request.surge = {
      ...given('from_percent', d.surge.from_percent),
      full_percent: Number(d.surge.full_percent),
      add_percent: Number(d.surge.add_percent),
    }
  if (d.taxes.length > 0) request.taxes = d.taxes.map((x) => ({ name: x.name, rate_bp: bp(x.rate_bp) }))
  if (d.commission_bp) request.commission_bp = bp(d.commission_bp)
  if (d.cancellation.on)
    request.cancellation = {
      ...given('free_minutes', d.cancellation.free_minutes),
      assigned_percent: Number(d.cancellation.assigned_percent),
      arrived_percent: Number(d.cancellation.arrived_percent),
      ...given('late_minutes', d.cancellation.late_minutes),
      ...given('late_percent', d.cancellation.late_percent),
    }
  if (d.returns.on) request.returns = { percent: Number(d.returns.percent) }
  if (d.note) request.note = d.note
  if (d.effective_at) request.effective_at = new Date(d.effective_at).toISOString()
  return request
}

/** Where a field of the API is not where the form has it: a holiday is a row of its own there. */
export function formName(name: string): string {
  return name.replace(/^holiday\.dates\.(\d+)$/, 'holiday.dates.$1.date')
}
