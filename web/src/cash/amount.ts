/** Money as somebody types it, in its larger unit; the API has minor units. */
import { latinDigits } from '@/i18n/format.ts'

export function digitsOf(currency: string): number {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  return format.resolvedOptions().maximumFractionDigits ?? 2
}
/** Whole minor units; null: it is no amount of this currency. */
export function minorOf(text: string, currency: string): number | null {
  const plain = latinDigits(text)
    .replace(/[\s\u00a0\u202f]/g, '')
    .replace(/[,٫]/, '.')
  const [, whole, part = ''] = /^(\d{1,10})(?:\.(\d+))?$/.exec(plain) ?? []
  const digits = digitsOf(currency)
  return whole === undefined || part.length > digits ? null : Number(whole + part.padEnd(digits, '0'))
}
