/** The socket: what concerns this account, as it happens, each entry once and in order. Where a proxy lets no socket
 * through, the same entries are asked for over HTTP. Whoever listens is told how live it is. */

import type { Schemas } from './client.ts'
import { accessToken, currentUser, subscribe as onSession } from './session.ts'
import { openWire, type Wire } from './wire.ts'

export type Entry =
  | { type: 'booking.updated'; seq: number; at: string; data: Schemas['Booking'] }
  | { type: 'offer.made'; seq: number; at: string; data: Schemas['Offer'] }
  | { type: 'offer.closed'; seq: number; at: string; data: { id: string; reason: string } }
  | { type: 'alert.updated'; seq: number; at: string; data: Schemas['AlertUpdated'] }
  | { type: 'recurrence.updated'; seq: number; at: string; data: Schemas['Recurrence'] }
  | { type: 'import.updated'; seq: number; at: string; data: Schemas['BookingImport'] }
  | { type: 'booking.unassigned'; seq: number; at: string; data: Schemas['BookingUnassigned'] }
export type Position = {
  driver_id?: string
  booking_id?: string
  name?: string
  vehicle?: Schemas['Vehicle']
  duty?: Schemas['Duty']
  off?: boolean
  lat: number
  lng: number
  bearing_deg: number | null
  speed_mps: number | null
  at: string
}
/** When the driver of a booking will be at its stops; one that is behind him, or that nobody knows of yet, has nulls. */
export type Etas = {
  booking_id: string
  stops: { index: number; eta: string | null; eta_from: string | null; eta_to: string | null }[]
}
export type Status = 'off' | 'connecting' | 'live' | 'reconnecting' | 'polling'
export type Watch = { booking_id: string } | { bbox: [number, number, number, number] }
type Listener = {
  entry?: (entry: Entry) => void
  position?: (position: Position) => void
  /** When the driver of a booking that is watched will be at its stops. */
  etas?: (etas: Etas) => void
  status?: (status: Status) => void
  /** Too much was missed: read everything again. */
  gap?: () => void
}
type Frame = {
  type: string
  seq?: number
  at?: string
  data?: unknown
  status?: number
  id?: number
  through?: string
  detail?: string
}

const RETRY_MS_MAX = 15_000
const QUIET_MS_MAX = 45_000 // nothing heard, not even a pong: the line is dead
const PING_MS = 15_000
const RENEW_MS = 10_000
const POLL_MS = 3_000
const FAILURES_MAX = 3 // sockets that never got ready before polling takes over

class Live {
  private socket: Wire | null = null
  private listeners = new Set<Listener>()
  private watches = new Map<string, Watch>()
  private acks = new Map<number, (through: string | null) => void>()
  private seq = 0 // the newest entry that was handed out
  private status: Status = 'off'
  private failures = 0
  private heardAt = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private renewer: ReturnType<typeof setInterval> | undefined
  private pinger: ReturnType<typeof setInterval> | undefined
  private account: string | null = null
  private nextId = 1
  private readySeq = 0
  /** When anything was last heard from the server (ms of this device's clock). */
  lastHeardAt = 0

  constructor() {
    onSession(() => this.sessionChanged())
    window.addEventListener('online', () => this.hurry())
    // The line is dead, though it may be long until the socket finds out.
    window.addEventListener('offline', () => this.socket !== null && this.lost())
    document.addEventListener(
      'visibilitychange',
      () => document.visibilityState === 'visible' && this.hurry(),
    )
    this.sessionChanged()
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener)
    listener.status?.(this.status)
    return () => this.listeners.delete(listener)
  }
  currentStatus(): Status {
    return this.status
  }

  /** Positions of a booking or of a part of the map, until the function that is returned is called. */
  watch(key: string, watch: Watch): () => void {
    this.watches.set(key, watch)
    this.send({ type: 'watch', ...watch })
    return () => {
      const last = this.watches.get(key)
      this.watches.delete(key)
      if (last !== undefined) this.send({ type: 'unwatch', ...last })
    }
  }

  /** Sends fixes; the time of the newest durable one, or null when nobody has acknowledged them. */
  sendFixes(fixes: unknown[]): Promise<string | null> {
    if (this.status !== 'live') return Promise.resolve(null)
    const id = this.nextId++
    return new Promise((resolve) => {
      this.acks.set(id, resolve)
      setTimeout(() => this.acks.delete(id) && resolve(null), 10_000)
      this.send({ type: 'location', id, fixes })
    })
  }

  private sessionChanged(): void {
    const account = currentUser()?.id ?? null
    if (account === this.account) return
    this.account = account
    this.seq = 0
    this.failures = 0
    this.close()
    if (account === null) this.setStatus('off')
    else void this.connect()
  }

  private setStatus(status: Status): void {
    if (status === this.status) return
    this.status = status
    for (const listener of this.listeners) listener.status?.(status)
  }

  private close(): void {
    clearTimeout(this.timer)
    clearInterval(this.pinger)
    clearInterval(this.renewer)
    const socket = this.socket
    this.socket = null
    socket?.close()
    for (const resolve of this.acks.values()) resolve(null)
    this.acks.clear()
  }

  private hurry(): void {
    if (this.account !== null && this.status !== 'live' && this.socket === null) {
      clearTimeout(this.timer)
      void this.connect()
    }
  }

  private async connect(): Promise<void> {
    if (this.seq === 0 && this.failures === 0) this.setStatus('connecting')
    else if (this.status !== 'polling') this.setStatus('reconnecting')
    let token: string | null = null
    try {
      token = await accessToken()
    } catch {
      this.later()
      return
    }
    if (token === null || this.socket !== null || this.account === null) return
    const url = new URL('/v1/ws', window.location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const role = currentUser()?.role
    const socket = openWire(
      url.href,
      ['lorry.v1', `bearer.${token}`],
      {
        text: (text) => this.socket === socket && this.onFrame(text),
        positions: (positions) => this.socket === socket && this.onPositions(positions),
        closed: () => this.socket === socket && this.lost(),
      },
      role === 'dispatcher' || role === 'admin',
    )
    this.socket = socket
    this.heardAt = Date.now()
    this.pinger = setInterval(() => {
      if (Date.now() - this.heardAt > QUIET_MS_MAX) this.lost()
      else this.send({ type: 'ping' })
    }, PING_MS)
    // The socket ends with its token, unless a fresh one comes before that.
    let sent = token
    this.renewer = setInterval(async () => {
      const fresh = await accessToken().catch(() => null)
      if (fresh === null || fresh === sent || this.socket !== socket) return
      sent = fresh
      this.send({ type: 'auth', token: fresh })
    }, RENEW_MS)
  }

  private lost(): void {
    const wasLive = this.status === 'live'
    this.close()
    this.failures = wasLive ? 0 : this.failures + 1
    this.later()
  }

  private later(): void {
    if (this.account === null) return
    const polling = this.failures >= FAILURES_MAX
    if (polling) void this.poll().then((heard) => this.setPolling(heard))
    else this.setStatus('reconnecting')
    const wait = Math.min(RETRY_MS_MAX, 500 * 2 ** this.failures) * (0.5 + Math.random() / 2)
    this.timer = setTimeout(() => void this.connect(), polling ? POLL_MS : wait)
  }

  /** Where HTTP gets through no more than the socket does, nothing is updated, and nothing says it is. */
  private setPolling(heard: boolean): void {
    if (this.account !== null && this.status !== 'live') this.setStatus(heard ? 'polling' : 'reconnecting')
  }

  /** True: the server has answered. */
  private async poll(): Promise<boolean> {
    try {
      for (let more = true; more; ) {
        const token = await accessToken()
        if (token === null) return false
        const answer = await fetch(`/v1/notifications?after=${this.seq}&limit=200`, {
          headers: { Authorization: `Bearer ${token}` },
        })
        if (!answer.ok) return false
        this.lastHeardAt = Date.now()
        const page = (await answer.json()) as { items: Entry[]; next_cursor: string | null }
        for (const entry of page.items) this.hand(entry)
        more = page.next_cursor !== null && page.items.length > 0
      }
      return true
    } catch {
      return false // away: the next try is already set
    }
  }

  private send(frame: unknown): void {
    if (this.socket?.isOpen()) this.socket.send(JSON.stringify(frame))
  }

  private hand(entry: Entry): void {
    if (entry.seq <= this.seq) return
    this.seq = entry.seq
    for (const listener of this.listeners) listener.entry?.(entry)
  }

  private onReady(seq: number): void {
    this.failures = 0
    this.readySeq = seq
    this.setStatus('live')
    if (this.seq === 0) this.seq = seq
    this.send({ type: 'resume', after: this.seq }) // also when nothing is missing: what is live waits for it
    for (const watch of this.watches.values()) this.send({ type: 'watch', ...watch })
  }

  private heard(): void {
    this.heardAt = Date.now()
    this.lastHeardAt = this.heardAt
  }
  private onPositions(positions: Position[]): void {
    this.heard()
    for (const listener of this.listeners)
      if (listener.position !== undefined) for (const position of positions) listener.position(position)
  }

  private onFrame(text: string): void {
    this.heard()
    const frame = JSON.parse(text) as Frame
    switch (frame.type) {
      case 'ready':
        this.onReady(frame.seq ?? 0)
        break
      case 'gap':
        this.seq = this.readySeq
        for (const listener of this.listeners) listener.gap?.()
        break
      case 'position':
        this.onPositions([frame.data as Position])
        break
      case 'eta':
        for (const listener of this.listeners) listener.etas?.(frame.data as Etas)
        break
      case 'ack': {
        const resolve = this.acks.get(frame.id ?? 0)
        this.acks.delete(frame.id ?? 0)
        resolve?.(frame.through ?? null)
        break
      }
      default:
        if (frame.seq !== undefined && frame.data !== undefined) this.hand(frame as Entry)
    }
  }
}

export const live = new Live()
