/** A promo code as somebody types it: figures are text, money is in its larger unit, days are the reader's own. */
import { z } from 'zod'
import type { Schemas } from '@/api/client.ts'
import { digitsOf, maybeMoney, maybeWhole, minor, vehicles } from '../tariffs/draft.ts'

export type Request = Schemas['PromoCodeRequest']
export const schema = z
  .object({
    code: z
      .string()
      .trim()
      .regex(/^[A-Za-z0-9_-]{3,24}$/, 'promos.badCode'),
    kind: z.enum(['percent', 'amount']),
    percent: maybeWhole,
    amount: maybeMoney,
    cap: maybeMoney,
    minimum_total: maybeMoney,
    uses_max: maybeWhole,
    uses_per_customer_max: maybeWhole,
    valid_from: z.string(),
    valid_to: z.string(),
    vehicles: z.array(z.enum(vehicles)),
    first_only: z.boolean(),
    note: z.string().trim().max(500, 'invalid.long'),
  })
  .superRefine((d, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    const percent = Number(d.percent)
    if (d.kind === 'percent' && !(d.percent !== '' && percent >= 1 && percent <= 100))
      fault('percent', 'promos.badPercent')
    if (d.kind === 'amount' && !(Number(d.amount) > 0)) fault('amount', 'set.invalid.money')
    if (d.valid_from && d.valid_to && d.valid_to <= d.valid_from) fault('valid_to', 'promos.badEnd')
  })
export type Draft = z.infer<typeof schema>

export const fresh: Draft = {
  code: '',
  kind: 'percent',
  percent: '10',
  amount: '',
  cap: '',
  minimum_total: '',
  uses_max: '',
  uses_per_customer_max: '1',
  valid_from: '',
  valid_to: '',
  vehicles: [],
  first_only: false,
  note: '',
}

export function requestOf(d: Draft, currency: string): Request {
  const digits = digitsOf(currency)
  const sum = (name: string, text: string) => (text === '' ? {} : { [name]: minor(text, digits) })
  const figure = (name: string, text: string) => (text === '' ? {} : { [name]: Number(text) })
  const moment = (name: string, text: string) => (text === '' ? {} : { [name]: new Date(text).toISOString() })
  return {
    code: d.code,
    ...(d.kind === 'percent'
      ? { ...figure('percent', d.percent), ...sum('cap', d.cap) }
      : sum('amount', d.amount)),
    ...sum('minimum_total', d.minimum_total),
    ...figure('uses_max', d.uses_max),
    ...figure('uses_per_customer_max', d.uses_per_customer_max),
    ...moment('valid_from', d.valid_from),
    ...moment('valid_to', d.valid_to),
    ...(d.vehicles.length > 0 && { vehicles: d.vehicles }),
    ...(d.first_only && { first_only: true }),
    ...(d.note && { note: d.note }),
  }
}

export type State = 'ended' | 'before' | 'over' | 'used' | 'holds'
/** What a code is good for at NOW (ms). */
export function stateOf(p: Schemas['PromoCode'], now: number): State {
  if (p.ended) return 'ended'
  if (p.valid_from && Date.parse(p.valid_from) > now) return 'before'
  if (p.valid_to && Date.parse(p.valid_to) <= now) return 'over'
  return p.uses_max !== undefined && p.used >= p.uses_max ? 'used' : 'holds'
}
