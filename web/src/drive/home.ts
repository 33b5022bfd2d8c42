/** A driver's home zone as somebody types it: a place and a radius in kilometres, or none. Pure. */
import type { Schemas } from '@/api/client.ts'
import { latinDigits } from '@/i18n/format.ts'

type Home = Schemas['HomeZone']
export type HomeDraft = {
  on: boolean
  name: string
  lat: number | null // null: not chosen yet
  lng: number | null
  km: string
  only: boolean
}
const METRES_MIN = 100
const METRES_MAX = 200_000
const NAME_MAX = 80

export function draftOf(home: Home | null): HomeDraft {
  if (home === null) return { on: false, name: '', lat: null, lng: null, km: '5', only: false }
  return {
    on: true,
    name: home.name ?? '',
    lat: home.lat,
    lng: home.lng,
    km: String(home.radius_m / 1000),
    only: home.only ?? false,
  }
}

/** null: no radius that there may be. */
export function metresOf(km: string): number | null {
  const text = latinDigits(km).trim().replace(/[,٫]/, '.')
  const metres = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1000) : 0
  return metres >= METRES_MIN && metres <= METRES_MAX ? metres : null
}

/** What is to be saved; null: no zone; undefined: it is not whole yet. */
export function homeOf({ on, name, lat, lng, km, only }: HomeDraft): Home | null | undefined {
  if (!on) return null
  const radius_m = metresOf(km)
  if (lat === null || lng === null || radius_m === null) return undefined
  const called = name.trim().slice(0, NAME_MAX)
  return { ...(called && { name: called }), lat, lng, radius_m, only }
}
