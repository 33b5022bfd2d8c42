/** What this driver has done and where he was, until the server has it: kept in IndexedDB, sent in order, each once.
 * Tabs take turns (Web Locks), and tell each other what has changed. */
import { api, data, idempotencyKey, type Schemas } from '@/api/client.ts'
import { live } from '@/api/live.ts'
import { Problem } from '@/api/problem.ts'
import { currentUser, serverNow } from '@/api/session.ts'
import { patiently } from '@/app/part.ts'
import { type Act, type Given, type Refusal, replay, type State, type Step } from './acts.ts'
import type { Fix } from './fix.ts'
import * as store from './store.ts'

/** What waits: steps and fixes; and what was refused. */
export type Waiting = { acts: Act[]; fixes: number; refusal: Refusal | null }
const NEXT_WAIT_MS = 250
const RETRY_MS_MIN = 2_000
const RETRY_MS_MAX = 30_000
const HTTP_FIXES_MAX = 1_000 // the API takes no more at once
const SOCKET_FIXES_MAX = 50 // what is live is few; more of them go by HTTP, past the frame's 64 KiB

class Outbox {
  private account: string | null = null
  private waiting: Waiting = { acts: [], fixes: 0, refusal: null }
  private readonly listeners = new Set<() => void>()
  private readonly tabs = new BroadcastChannel('lorry.outbox')
  private running = false
  private again = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private retryMs = RETRY_MS_MIN
  private taken: (booking: Schemas['Booking']) => void = () => undefined

  constructor() {
    this.tabs.onmessage = () => void this.reread()
  }

  /** Begins to send for ACCOUNT; TAKEN gets each booking as the server has it. The function that is returned ends it. */
  start(account: string, taken: (booking: Schemas['Booking']) => void): () => void {
    this.account = account
    this.taken = taken
    const hurry = () => this.hurry()
    const stop = live.listen({ status: (status) => status === 'live' && this.hurry() })
    window.addEventListener('online', hurry)
    void store.pruneFixes(serverNow()).then(() => this.reread())
    this.hurry()
    return () => {
      this.account = null
      clearTimeout(this.timer)
      stop()
      window.removeEventListener('online', hurry)
      this.show({ acts: [], fixes: 0, refusal: null })
    }
  }
  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  read = (): Waiting => this.waiting

  /** What was shown at STOP: kept here, pictures and all, until it has been sent. */
  async prove(booking: Schemas['Booking'], stop: number, given: Given): Promise<void> {
    await this.add(booking, 'proof', stop, { given })
  }
  async step(booking: Schemas['Booking'], status: Step, stop: number, reason?: string): Promise<void> {
    await this.add(booking, status, stop, reason !== undefined ? { reason } : {})
  }
  /** How much cash was taken at STOP; REASON where it is less than is due. */
  async collect(booking: Schemas['Booking'], stop: number, amount: number, reason?: string): Promise<void> {
    await this.add(booking, 'collect', stop, { amount, ...(reason !== undefined && { reason }) })
  }
  private async add(
    booking: Schemas['Booking'],
    status: Step,
    stop: number,
    more: Pick<Act, 'reason' | 'given' | 'amount'>,
  ): Promise<void> {
    if (this.account === null) return
    await store.addAct({
      account: this.account,
      key: idempotencyKey(),
      booking_id: booking.id,
      code: booking.code,
      status,
      stop,
      ...(booking.stops_revision !== undefined && { stops_revision: booking.stops_revision }),
      ...more,
      at: new Date(serverNow()).toISOString(),
    })
    await this.changed()
    this.hurry()
  }
  async fix(fix: Fix): Promise<void> {
    if (this.account === null) return
    await store.addFix(this.account, fix)
    await this.reread()
    if (this.retryMs === RETRY_MS_MIN) this.hurry() // else the server is away: the next try takes it along
  }
  async forgetRefusal(): Promise<void> {
    if (this.account === null) return
    await store.dropRefusal(this.account)
    await this.changed()
  }

  private show(waiting: Waiting): void {
    this.waiting = waiting
    for (const listener of this.listeners) listener()
  }
  private async reread(): Promise<void> {
    const { account } = this
    if (account === null) return
    const [acts, fixes, refusal] = await Promise.all([
      store.actsOf(account),
      store.fixCount(account),
      store.refusalOf(account),
    ])
    if (account === this.account) this.show({ acts, fixes, refusal })
  }
  private async changed(): Promise<void> {
    this.tabs.postMessage(null)
    await this.reread()
  }

  private hurry(): void {
    clearTimeout(this.timer)
    this.retryMs = RETRY_MS_MIN
    void this.run()
  }

  /** One at a time; what comes meanwhile is seen to at the end. */
  private async run(): Promise<void> {
    const { account } = this
    if (account === null || currentUser() === null) return
    if (this.running) {
      this.again = true
      return
    }
    this.running = true
    let sent = false
    try {
      do {
        this.again = false
        sent = await locked(async () => (await this.sendActs(account)) && (await this.sendFixes(account)))
      } while (sent && this.again && this.account === account)
    } finally {
      this.running = false
    }
    if (sent || this.account !== account) {
      this.retryMs = RETRY_MS_MIN
      return
    }
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.run(), this.retryMs)
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX)
  }

  private sendActs(account: string): Promise<boolean> {
    return replay({
      first: async () => (await store.actsOf(account))[0],
      send: async (act) => this.taken(await send(act)),
      done: async (act) => {
        await store.dropAct(act)
        await this.changed()
      },
      refuse: async (act, error) => {
        const now = await data(
          api.GET('/v1/bookings/{id}', { params: { path: { id: act.booking_id } } }),
        ).catch(() => null)
        if (now !== null) this.taken(now)
        await store.refuseActs(refusalFor(act, error, now?.state ?? null))
        await this.changed()
      },
    })
  }

  private async sendFixes(account: string): Promise<boolean> {
    for (;;) {
      const kept = await store.oldestFixes(account, HTTP_FIXES_MAX)
      if (kept.length === 0) return true
      if (!(await this.deliver(kept))) return false
      await store.dropFixes(kept)
      await this.changed()
    }
  }
  /** True: the server has them, or will never take them. */
  private async deliver(kept: store.KeptFix[]): Promise<boolean> {
    const fixes = kept.map((k) => k.fix)
    if (kept.length <= SOCKET_FIXES_MAX && live.currentStatus() === 'live') {
      const through = await live.sendFixes(fixes)
      if (through !== null) return true
    }
    try {
      await api.POST('/v1/driver/locations', { body: { fixes } })
      return true
    } catch (error) {
      return error instanceof Problem && (error.status === 422 || error.status === 403)
    }
  }
}

async function locked(work: () => Promise<boolean>): Promise<boolean> {
  if (navigator.locks === undefined) return work() // only where the page is not served securely
  return navigator.locks.request('lorry.outbox', work)
}

/** A picture is sent under a key of its own: whatever is lost on the way, it is kept once. */
async function uploaded(act: Act, kind: 'photo' | 'signature'): Promise<string | undefined> {
  const picture = act.given?.[kind]
  if (picture === undefined) return undefined
  const made = await data(
    api.POST('/v1/files', {
      params: { header: { 'Idempotency-Key': `${act.key}-${kind}` } },
      headers: { 'Content-Type': picture.type },
      body: picture as unknown as string,
      bodySerializer: (body: unknown) => body as BodyInit,
    }),
  )
  return made.id
}

async function prove(act: Act): Promise<Schemas['Booking']> {
  const { pin, name } = act.given ?? {}
  const photo = await uploaded(act, 'photo')
  const signature = await uploaded(act, 'signature')
  return data(
    api.POST('/v1/bookings/{id}/proof', {
      params: { path: { id: act.booking_id }, header: { 'Idempotency-Key': act.key } },
      body: {
        stop: act.stop,
        ...(pin !== undefined && { pin }),
        ...(name !== undefined && { name }),
        ...(photo !== undefined && { photo_id: photo }),
        ...(signature !== undefined && { signature_id: signature }),
      },
    }),
  )
}

/** What comes next may be begun when the server has heard everywhere that the job before it has ended: a moment later. */
function send(act: Act): Promise<Schemas['Booking']> {
  const soon = (error: unknown) => error instanceof Problem && error.members.free_at !== undefined
  return patiently(() => sendOnce(act), undefined, { firstMs: NEXT_WAIT_MS, again: soon })
}

function sendOnce(act: Act): Promise<Schemas['Booking']> {
  if (act.status === 'proof') return prove(act)
  if (act.status === 'collect')
    return data(
      api.POST('/v1/bookings/{id}/collection', {
        params: { path: { id: act.booking_id }, header: { 'Idempotency-Key': act.key } },
        body: {
          stop: act.stop,
          amount: act.amount ?? 0,
          ...(act.reason !== undefined && { reason: act.reason }),
        },
      }),
    )
  return data(
    api.POST('/v1/bookings/{id}/status', {
      params: { path: { id: act.booking_id }, header: { 'Idempotency-Key': act.key } },
      body: {
        status: act.status,
        stop: act.stop,
        ...(act.stops_revision !== undefined && { stops_revision: act.stops_revision }),
        ...(act.reason !== undefined && { reason: act.reason }),
      },
    }),
  )
}

function refusalFor(act: Act, error: unknown, state: State | null): Refusal {
  const { account, booking_id, code, status } = act
  const told = error instanceof Problem ? (error.members.state as State | undefined) : undefined
  const detail = error instanceof Error ? error.message : String(error)
  return { account, booking_id, code, status, state: state ?? told ?? null, detail }
}

export const outbox = new Outbox()
