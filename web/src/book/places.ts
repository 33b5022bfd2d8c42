/** Where things are: search by name, the name of a place, and the places chosen lately on this device. */
import { api, data, type Schemas } from '@/api/client.ts'

export type Place = Schemas['FoundPlace']
const KEY = 'lorry.places'
const RECENT_MAX = 8

export function searchPlaces(q: string, signal: AbortSignal): Promise<Place[]> {
  return data(api.GET('/v1/places', { params: { query: { q, limit: 6 } }, signal })).then(
    (page) => page.items,
  )
}
export async function nameOf(lat: number, lng: number): Promise<string | null> {
  const near = await data(api.GET('/v1/places/near', { params: { query: { lat, lng } } })).catch(() => null)
  return near?.label ?? null
}

export function recentPlaces(): Place[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '[]') as Place[]
  } catch {
    return []
  }
}
export function rememberPlace(place: Place): void {
  const others = recentPlaces().filter((p) => p.label !== place.label)
  localStorage.setItem(KEY, JSON.stringify([place, ...others].slice(0, RECENT_MAX)))
}
