/** Why a driver stands where he stands, in the reader's language. The server says it as a code and figures, and in English
 * for those who know neither. */
import type { TFunction } from 'i18next'
import type { Schemas } from '@/api/client.ts'
import { duration, number, percent } from '@/i18n/format.ts'

type Part = Schemas['DispatchPart']
type Told = Pick<
  Schemas['Candidate'],
  'reason_code' | 'reason' | 'parts' | 'pickup_eta_s' | 'after_booking_id' | 'free_in_s'
>

const decides: Partial<Record<NonNullable<Told['reason_code']>, Part['part']>> = {
  farther: 'eta',
  rated_lower: 'rating',
  more_jobs: 'jobs',
  less_idle: 'idle',
  takes_fewer: 'acceptance',
}

/** A part's value, in words. */
export function sayPart({ part, value }: Pick<Part, 'part' | 'value'>): string {
  if (part === 'eta') return duration(value)
  if (part === 'rating') return number(value / 100, 1)
  if (part === 'jobs') return number(value / 100, 1)
  if (part === 'idle') return duration(value * 60)
  return part === 'acceptance' ? percent(value) : number(value)
}

export function sayWhy(t: TFunction, c: Told): string {
  if (c.after_booking_id === undefined || c.reason_code === null) return sayReason(t, c)
  return t('why.after', { free: duration(c.free_in_s ?? 0), why: sayReason(t, c) })
}

function sayReason(t: TFunction, c: Told): string {
  if (c.reason_code === null) return c.reason ?? ''
  const part = c.parts?.find((p) => p.part === decides[c.reason_code as keyof typeof decides])
  const value = part ? sayPart(part) : ''
  // What somebody has written (why it was given back) is in the server's own words.
  if (c.reason_code === 'left' || c.reason_code === 'refused')
    return t(`why.${c.reason_code}`, { said: c.reason ?? '' })
  return value ? t('why.with', { why: t(`why.${c.reason_code}`), value }) : t(`why.${c.reason_code}`)
}
