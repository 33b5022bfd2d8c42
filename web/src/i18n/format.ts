/** Money, distances, times as the reader's language writes them. Money is minor units of its currency. */
import i18next from 'i18next'

/** The language as the device's own region writes it ("14:35" in Britain, "2:35 PM" in America), with 0 to 9 in every one:
 * browsers differ in which digits they give Arabic, and codes, plates and phones have these. */
function locale(language: string): string {
  const own = navigator.languages.find((l) => l.split('-')[0] === language) ?? language
  return new Intl.Locale(own, { numberingSystem: 'latn' }).toString()
}

function cached<T>(make: (locale: string, key: string) => T): (key?: string) => T {
  const kept = new Map<string, T>()
  return (key = '') => {
    const id = `${i18next.language}/${key}`
    let value = kept.get(id)
    if (value === undefined) {
      value = make(locale(i18next.language), key)
      kept.set(id, value)
    }
    return value
  }
}
/** What was typed with Arabic, Persian or Devanagari digits, in those that numbers and phones are kept in. */
export function latinDigits(text: string): string {
  return text.replace(/[٠-٩۰-۹०-९]/g, (digit) => {
    const zero = ['٠', '۰', '०'].findLast((z) => z <= digit) as string
    return String(digit.charCodeAt(0) - zero.charCodeAt(0))
  })
}

const moneyFormat = cached((l, currency) => new Intl.NumberFormat(l, { style: 'currency', currency }))
const wholeMoneyFormat = cached(
  (l, currency) => new Intl.NumberFormat(l, { style: 'currency', currency, maximumFractionDigits: 0 }),
)
const unitFormat = cached((l, key) => {
  const [unit, digits] = key.split(':')
  return new Intl.NumberFormat(l, {
    style: 'unit',
    unit: unit as string,
    unitDisplay: 'short',
    maximumFractionDigits: Number(digits),
  })
})
const clockFormat = cached((l) => new Intl.DateTimeFormat(l, { hour: '2-digit', minute: '2-digit' }))
const dateFormat = cached(
  (l) =>
    new Intl.DateTimeFormat(l, {
      weekday: 'short',
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
    }),
)
const relativeFormat = cached((l) => new Intl.RelativeTimeFormat(l, { numeric: 'auto', style: 'short' }))

export function money(amount: number, currency: string): string {
  const digits = moneyFormat(currency).resolvedOptions().maximumFractionDigits ?? 2
  const whole = amount % 10 ** digits === 0
  return (whole ? wholeMoneyFormat(currency) : moneyFormat(currency)).format(amount / 10 ** digits)
}
export function distance(metres: number): string {
  return metres < 1000
    ? unitFormat('meter:0').format(Math.round(metres / 10) * 10)
    : unitFormat(metres < 10_000 ? 'kilometer:1' : 'kilometer:0').format(metres / 1000)
}
export function duration(seconds: number): string {
  const minutes = Math.max(1, Math.round(seconds / 60))
  if (minutes < 60) return unitFormat('minute:0').format(minutes)
  const rest = minutes % 60
  const hours = unitFormat('hour:0').format(Math.floor(minutes / 60))
  return rest === 0 ? hours : `${hours} ${unitFormat('minute:0').format(rest)}`
}
/** How old something is: "12 sec", then as a duration. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  return seconds < 60 ? unitFormat('second:0').format(seconds) : duration(seconds)
}
/** "in 4 min" up to an hour, then "14:35". NOW in ms. */
export function moment(at: string, now: number): string {
  const seconds = (Date.parse(at) - now) / 1000
  return Math.abs(seconds) < 3600
    ? relativeFormat().format(Math.round(seconds / 60), 'minute')
    : clockFormat().format(new Date(at))
}
const betweenFormat = cached(
  (l, timeZone) =>
    new Intl.DateTimeFormat(l, {
      weekday: 'short',
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
      timeZone,
    }),
)
/** "Tue 24 Nov, 10:00 – 12:00" by the clock of ZONE. */
export function between({ from, to }: { from: string; to: string }, zone: string): string {
  return betweenFormat(zone).formatRange(new Date(from), new Date(to))
}
export function clock(at: string): string {
  return clockFormat().format(new Date(at))
}
export function day(at: string): string {
  return dateFormat().format(new Date(at))
}
const calendarFormat = cached(
  (l) => new Intl.DateTimeFormat(l, { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' }),
)
/** A calendar day, "2026-11-23". */
export function date(text: string): string {
  return calendarFormat().format(new Date(`${text}T00:00:00Z`))
}
const numberFormat = cached(
  (l, digits) => new Intl.NumberFormat(l, { maximumFractionDigits: Number(digits) }),
)
export function number(value: number, digits = 0): string {
  return numberFormat(String(digits)).format(value)
}
const percentFormat = cached((l) => new Intl.NumberFormat(l, { style: 'percent', maximumFractionDigits: 2 }))
export function percent(value: number): string {
  return percentFormat().format(value / 100)
}
export function weight(kilograms: number): string {
  return unitFormat('kilogram:0').format(kilograms)
}
/** A file's size: "120 kB". */
export function bytes(count: number): string {
  return unitFormat('kilobyte:0').format(Math.ceil(count / 1000))
}
/** "3:07" of what is left; never below zero. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
