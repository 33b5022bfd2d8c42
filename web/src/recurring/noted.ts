/** What recurs is changed by all of its stops at once. No I/O here. */
import type { Schemas } from '@/api/client.ts'

type Stop = Schemas['OrderStop']

/** STOPS as they are, but that the one numbered INDEX has NOTE; '': none. */
export function noted(stops: Stop[], index: number, note: string): Stop[] {
  return stops.map((stop, i) => {
    if (i !== index) return stop
    const { note: _, ...rest } = stop
    return note === '' ? rest : { ...rest, note }
  })
}
