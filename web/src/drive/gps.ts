/** The device's position, only while it is wanted. Says honestly how good it is and how old. */
import { serverNow } from '@/api/session.ts'
import { type Fix, fixOf } from './fix.ts'

export type Gps =
  | { state: 'off' | 'asking' | 'denied' | 'unavailable' }
  | { state: 'on'; fix: Fix; accuracyM: number; at: number }

/** Whoever stands still is heard of, too: watchPosition tells moves only. */
const STILL_MS = 15_000
const CHECK_MS = 5_000
const FIND_MS_MAX = 30_000

class Watcher {
  private gps: Gps = { state: 'off' }
  private readonly listeners = new Set<() => void>()
  private watch: number | null = null
  private still: ReturnType<typeof setInterval> | undefined
  private permission: PermissionStatus | undefined
  private taken: (fix: Fix) => void = () => undefined

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  read = (): Gps => this.gps

  /** TAKEN gets each fix, until the function that is returned is called. */
  start(taken: (fix: Fix) => void): () => void {
    this.taken = taken
    this.begin()
    void this.followPermission()
    return () => {
      this.end()
      if (this.permission) this.permission.onchange = null
      this.permission = undefined
      this.show({ state: 'off' })
    }
  }

  private show(gps: Gps): void {
    this.gps = gps
    for (const listener of this.listeners) listener()
  }
  private begin(): void {
    if (navigator.geolocation === undefined) {
      this.show({ state: 'unavailable' })
      return
    }
    this.show({ state: 'asking' })
    const how: PositionOptions = { enableHighAccuracy: true, maximumAge: 0, timeout: FIND_MS_MAX }
    this.watch = navigator.geolocation.watchPosition(this.found, this.failed, how)
    let askedAt = Date.now()
    this.still = setInterval(() => {
      const last = Math.max(askedAt, this.gps.state === 'on' ? this.gps.at : 0)
      if (Date.now() - last < STILL_MS) return
      askedAt = Date.now()
      navigator.geolocation.getCurrentPosition(this.found, this.failed, how)
    }, CHECK_MS)
  }
  private end(): void {
    if (this.watch !== null) navigator.geolocation.clearWatch(this.watch)
    this.watch = null
    clearInterval(this.still)
  }
  /** Begins again when the person has put it right in the browser's settings. */
  private async followPermission(): Promise<void> {
    const permission = await navigator.permissions?.query({ name: 'geolocation' }).catch(() => undefined)
    if (permission === undefined || this.gps.state === 'off') return
    this.permission = permission
    permission.onchange = () => {
      this.end()
      if (permission.state === 'denied') this.show({ state: 'denied' })
      else this.begin()
    }
  }

  private found = (position: GeolocationPosition): void => {
    if (this.watch === null) return // one that was still under way when it ended
    const fix = fixOf(position, serverNow() - Date.now())
    this.show({ state: 'on', fix, accuracyM: position.coords.accuracy, at: position.timestamp })
    this.taken(fix)
  }
  private failed = (error: GeolocationPositionError): void => {
    if (error.code === error.PERMISSION_DENIED) this.show({ state: 'denied' })
    else if (this.gps.state !== 'on') this.show({ state: 'unavailable' }) // else its age says it
  }
}

export const gps = new Watcher()
