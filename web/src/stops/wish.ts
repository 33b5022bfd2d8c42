/** The stops of a booking as somebody wants them to be: those that stay, those that are kept, and new ones. Pure. */
import type { Schemas } from '@/api/client.ts'

type Stop = Schemas['Stop']
export const NOTE_MAX = 300 // characters
export type Wish = {
  key: string
  index: number | null // the number that it has now; null: a new one
  lat: number | null // null: not chosen yet
  lng: number | null
  address: string
  contact?: Schemas['Contact'] | undefined
  note?: string // of a new one, as it was typed
}
export const changeable: Schemas['BookingState'][] = [
  'scheduled',
  'requested',
  'offered',
  'assigned',
  'arrived_pickup',
  'picked_up',
  'arrived_dropoff',
]

/** How many stops, from the first on, cannot be changed: the pickup, what is over, and where the driver stands. */
export function fixedOf(stops: Pick<Stop, 'state'>[]): number {
  const open = stops.findIndex((s, i) => i > 0 && s.state === 'pending')
  return open === -1 ? stops.length : open
}
export function wishesOf(stops: Stop[]): Wish[] {
  return stops.map(({ index, lat, lng, address }) => ({
    key: `stop${index}`,
    index,
    lat,
    lng,
    address: address ?? '',
  }))
}
export const newWish = (): Wish => ({
  key: crypto.randomUUID(),
  index: null,
  lat: null,
  lng: null,
  address: '',
})
export const isWhole = (wish: Wish) => wish.index !== null || (wish.lat !== null && wish.lng !== null)
export const isSame = (wishes: Wish[], stops: Stop[]) =>
  wishes.length === stops.length && wishes.every((w, i) => w.index === i)

/** As the API wants it; a list with a new stop that has no place yet cannot be sent. */
export function sentStops(wishes: Wish[]): Schemas['StopWish'][] {
  return wishes.map(({ index, lat, lng, address, contact, note = '' }) =>
    index !== null || lat === null || lng === null
      ? { index: index ?? 0 }
      : {
          lat,
          lng,
          ...(address !== '' && { address }),
          ...(contact && { contact }),
          ...(note.trim() !== '' && { note: note.trim() }),
        },
  )
}
