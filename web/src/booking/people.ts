/** Who is shown in a booking, and whom one can call. What is pushed, and lies in inboxes, has no numbers of others and no notes:
 * those that are known stay, and the booking is asked for again. No I/O here. */
import type { Schemas } from '@/api/client.ts'

type Booking = Schemas['Booking']
type Stop = Schemas['Stop']

/** A number that can be called: one that is masked has bullets. */
export function canCall(phone: string | null | undefined): phone is string {
  return phone != null && phone !== '' && !phone.includes('•')
}

/** What a customer is told of: its driver is as he was, while he has it. */
export function keepDriver(before: Booking | undefined, told: Booking): Booking {
  const known = before?.id === told.id ? before.driver : null
  if (!known || known.id !== told.driver?.id || told.ended_at !== null) return told
  return { ...told, driver: known }
}

/** What a driver is told of: the people at its stops are as they were, and what is to be known there. */
export function keepContacts(before: Booking | null | undefined, told: Booking): Booking {
  if (before?.id !== told.id) return told
  const same = (a: Stop, b: Stop) => a.lat === b.lat && a.lng === b.lng && a.kind === b.kind
  return {
    ...told,
    notes: before.notes,
    stops: told.stops.map((stop) => {
      const alike = before.stops.filter((s) => same(s, stop))
      const known = alike.find((s) => s.index === stop.index) ?? alike[0] // two may be at one door
      return known ? { ...stop, contact: known.contact, note: known.note } : stop
    }),
  }
}
