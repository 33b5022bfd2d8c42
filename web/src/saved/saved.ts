/** The places that a customer has given a name; they are kept with the account, so each device has them. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { api, data, type Schemas } from '@/api/client.ts'
import { useUser } from '@/app/hooks.ts'

export type SavedPlace = Schemas['SavedPlace']
export const SAVED_KEY = ['saved places']
const NEAR = 1e-5 // of a degree: a metre
const OFFERED_MAX = 4 // beside what is found by its name

/** Only customers have any. */
export function useSavedPlaces() {
  const enabled = useUser()?.role === 'customer'
  return useQuery({
    enabled,
    queryKey: SAVED_KEY,
    queryFn: () => data(api.GET('/v1/me/places')).then((page) => page.items),
  })
}
export function useSavedAgain(): () => Promise<void> {
  const client = useQueryClient()
  return () => client.invalidateQueries({ queryKey: SAVED_KEY })
}

export function isAt(place: { lat: number; lng: number }, at: { lat: number; lng: number }): boolean {
  return Math.abs(place.lat - at.lat) < NEAR && Math.abs(place.lng - at.lng) < NEAR
}

/** Those that Q may mean: all while nothing is typed, else a few that have it in what they are called. */
export function savedFor(q: string, saved: SavedPlace[]): SavedPlace[] {
  const wanted = q.toLocaleLowerCase()
  if (wanted === '') return saved
  return saved
    .filter(({ label, address }) => `${label} ${address ?? ''}`.toLocaleLowerCase().includes(wanted))
    .slice(0, OFFERED_MAX)
}
