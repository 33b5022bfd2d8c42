/** Stretches of calendar days, "2026-11-29", whatever the clock of this device says. */
export type Range = { from: string; to: string }
export const spans = ['week', 'month', 'quarter', 'year'] as const
export type Span = (typeof spans)[number]
const DAYS: Record<Span, number> = { week: 7, month: 30, quarter: 90, year: 365 }

export function plusDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
}
/** The last days, TODAY among them. */
export function rangeOf(span: Span, today: string): Range {
  return { from: plusDays(today, 1 - DAYS[span]), to: today }
}
/** Which span RANGE is; null: none. */
export function spanOf(range: Range): Span | null {
  return spans.find((span) => rangeOf(span, range.to).from === range.from) ?? null
}
export function isDate(text: string | null): text is string {
  return (
    text !== null &&
    /^\d{4}-\d\d-\d\d$/.test(text) &&
    !Number.isNaN(Date.parse(`${text}T00:00:00Z`)) &&
    plusDays(text, 0) === text
  )
}
