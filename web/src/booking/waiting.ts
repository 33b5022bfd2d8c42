/** Waiting, counted as the server will: minutes begun, those beyond the free ones are paid. Pure. */
import type { Schemas } from '@/api/client.ts'

export type Waited = { minutes: number; freeMinutes: number; paid: number; amount: number }

/** Null: nobody waits, or it costs nothing, or has not begun (who comes early waits for himself). */
export function waited(terms: Schemas['WaitingTerms'] | undefined, nowMs: number): Waited | null {
  if (terms?.since === undefined) return null
  const ms = nowMs - Date.parse(terms.since)
  if (ms <= 0) return null
  const minutes = Math.ceil(ms / 60_000)
  const paid = Math.max(0, minutes - terms.free_minutes)
  return {
    minutes,
    freeMinutes: Math.max(0, terms.free_minutes - minutes),
    paid,
    amount: paid * terms.per_minute,
  }
}
