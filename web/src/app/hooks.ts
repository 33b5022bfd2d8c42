import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState, useSyncExternalStore } from 'react'
import type { Schemas } from '@/api/client.ts'
import { live, type Position, type Status } from '@/api/live.ts'
import { problemOf } from '@/api/problem.ts'
import { currentUser, serverNow, subscribe, type User } from '@/api/session.ts'
import { keepEtas, withEtas } from '@/booking/eta.ts'
import { keepDriver } from '@/booking/people.ts'

export function useUser(): User | null {
  return useSyncExternalStore(subscribe, currentUser)
}

/** Does this platform still need its first administrator? */
export const setupQuery = {
  queryKey: ['setup'],
  queryFn: async () => {
    const answer = await fetch('/v1/setup')
    if (!answer.ok) throw await problemOf(answer)
    return (await answer.json()) as Schemas['SetupState']
  },
  retry: false,
}

const onStatus = (changed: () => void) => live.listen({ status: changed })
export function useLiveStatus(): Status {
  return useSyncExternalStore(onStatus, () => live.currentStatus())
}

/** The server's time, anew each EVERY_MS. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(serverNow)
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNow()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}

/** Keeps what is cached of bookings true: each entry of the inbox replaces an older version. */
export function useLiveBookings(): void {
  const client = useQueryClient()
  useEffect(
    () =>
      live.listen({
        entry: (entry) => {
          if (entry.type === 'booking.updated') hearBooking(client, entry.data)
          else void client.invalidateQueries({ queryKey: ['offers'] })
        },
        gap: () => void client.invalidateQueries(),
      }),
    [client],
  )
}

/** What was pushed is masked: it is shown with what is known, and asked for. */
function hearBooking(client: ReturnType<typeof useQueryClient>, told: Schemas['Booking']): void {
  const queryKey = ['booking', told.id]
  const before = client.getQueryData<Schemas['Booking']>(queryKey)
  takeBooking(client, keepDriver(before, told))
  if (told.driver !== null) void client.invalidateQueries({ queryKey })
}

export function takeBooking(client: ReturnType<typeof useQueryClient>, booking: Schemas['Booking']): void {
  const before = client.getQueryData<Schemas['Booking']>(['booking', booking.id])
  if (before !== undefined && before.version > booking.version) return
  client.setQueryData(['booking', booking.id], keepEtas(before, booking))
  void client.invalidateQueries({ queryKey: ['bookings'] })
  void client.invalidateQueries({ queryKey: ['timeline', booking.id] })
}

/** The newest position of a booking's driver while this account may see it. When he will be where goes into the booking that
 * is cached. */
export function useBookingPosition(bookingId: string | null): Position | null {
  const client = useQueryClient()
  const [position, setPosition] = useState<Position | null>(null)
  useEffect(() => {
    setPosition(null)
    if (bookingId === null) return
    const stop = live.listen({
      position: (p) => p.booking_id === bookingId && setPosition(p),
      etas: (etas) =>
        etas.booking_id === bookingId &&
        client.setQueryData<Schemas['Booking']>(['booking', bookingId], (b) => b && withEtas(b, etas)),
    })
    const unwatch = live.watch(`booking ${bookingId}`, { booking_id: bookingId })
    return () => {
      unwatch()
      stop()
    }
  }, [bookingId, client])
  return position
}
