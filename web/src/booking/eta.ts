/** When a driver will be at the stops that are left, as the server reckons it: a window, which is what people are told. No
 * I/O here. */
import type { Schemas } from '@/api/client.ts'
import type { Etas } from '@/api/live.ts'

type Booking = Schemas['Booking']
type Stop = Pick<Booking['stops'][number], 'index' | 'eta' | 'eta_from' | 'eta_to'>

function timed<T extends Stop>(stop: T, times: Etas['stops'][number]): T {
  const { eta_from, eta_to, ...rest } = { ...stop, eta: times.eta }
  const { eta_from: from, eta_to: to } = times
  return { ...rest, ...(from !== null && { eta_from: from }), ...(to !== null && { eta_to: to }) } as T
}

/** BOOKING with the times that the socket has told. */
export function withEtas(booking: Booking, told: Etas): Booking {
  return {
    ...booking,
    stops: booking.stops.map((stop) => {
      const times = told.stops.find((s) => s.index === stop.index)
      return times ? timed(stop, times) : stop
    }),
  }
}

/** BOOKING as it was told of: without times. Those that were known BEFORE go on for the stops that are left, as long as the
 * same driver has it. */
export function keepEtas(before: Booking | undefined, booking: Booking): Booking {
  const driver = booking.driver?.id
  if (before?.id !== booking.id || driver === undefined || before.driver?.id !== driver) return booking
  return {
    ...booking,
    stops: booking.stops.map((stop, i) => {
      const known = before.stops[i]
      if (stop.eta !== null || stop.state !== 'pending' || !known) return stop
      return timed(stop, {
        index: stop.index,
        eta: known.eta,
        eta_from: known.eta_from ?? null,
        eta_to: known.eta_to ?? null,
      })
    }),
  }
}
