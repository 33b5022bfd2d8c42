/** Who is signed in. The refresh token is good once, and a spent one that comes again ends the session for
 * everybody: so tabs take turns (Web Locks), and each reads what the one before has left in localStorage. */

import { Problem, problemOf } from './problem.ts'
import type { components } from './schema'

export type User = components['schemas']['User']
type Answer = components['schemas']['Session']
type Kept = { user: User; refresh_token: string; access_token: string; expires_at: number }

const KEY = 'lorry.session'
const EARLY_MS = 30_000 // a token that ends sooner than this is renewed first

const listeners = new Set<() => void>()
/** The server's clock minus ours, in ms: a wrong clock here must not make tokens look spent. */
let skewMs = 0

export function serverNow(): number {
  return Date.now() + skewMs
}
/** Takes the server's time from an answer's Date header. */
export function noteServerTime(response: Response): void {
  const at = Date.parse(response.headers.get('Date') ?? '')
  if (Number.isFinite(at) && Math.abs(at - serverNow()) > 2000) skewMs = at - Date.now()
}

function read(): Kept | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? 'null') as Kept | null
  } catch {
    return null
  }
}

let kept = read()
let lastUser = kept?.user ?? null

function announce(): void {
  lastUser = kept?.user ?? null
  for (const listener of listeners) listener()
}
window.addEventListener('storage', (event) => {
  if (event.key !== KEY && event.key !== null) return
  kept = read()
  announce()
})

export function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
export function currentUser(): User | null {
  return lastUser
}

function keep(answer: Answer): void {
  // `expires_in` is counted from now on, whatever the clock of this device says.
  kept = {
    user: answer.user,
    refresh_token: answer.refresh_token,
    access_token: answer.access_token,
    expires_at: Date.now() + answer.expires_in * 1000,
  }
  localStorage.setItem(KEY, JSON.stringify(kept))
  announce()
}

export function updateUser(user: User): void {
  if (kept === null) return
  kept = { ...kept, user }
  localStorage.setItem(KEY, JSON.stringify(kept))
  announce()
}

/** Forgets the session on this device; the server's side ends with signOut. */
export function forget(): void {
  kept = null
  localStorage.removeItem(KEY)
  announce()
}

async function post(path: string, body: unknown): Promise<Response> {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    noteServerTime(response)
    return response
  } catch {
    throw new Problem(0, { title: 'The server cannot be reached' })
  }
}

/** CODE: of the second factor, once the server has asked for it. */
export async function signIn(email: string, password: string, code?: string): Promise<User> {
  const response = await post('/v1/auth/login', { email, password, ...(code !== undefined && { code }) })
  if (!response.ok) throw await problemOf(response)
  keep((await response.json()) as Answer)
  return currentUser() as User
}

/** What needs no session, and has no answer but that it is done. */
export async function send(path: string, body: unknown): Promise<void> {
  const response = await post(path, body)
  if (!response.ok) throw await problemOf(response)
}

export async function register(body: components['schemas']['RegisterRequest']): Promise<User> {
  const response = await post('/v1/auth/register', body)
  if (!response.ok) throw await problemOf(response)
  keep((await response.json()) as Answer)
  return currentUser() as User
}

/** Makes the first administrator of an empty platform. */
export async function setUp(body: components['schemas']['SetupRequest']): Promise<void> {
  const response = await post('/v1/setup/admin', body)
  if (!response.ok) throw await problemOf(response)
  keep((await response.json()) as Answer)
}

export async function signOut(): Promise<void> {
  const token = kept?.refresh_token
  forget()
  if (token !== undefined) await post('/v1/auth/logout', { refresh_token: token }).catch(() => undefined)
}

async function renew(spent: string | undefined): Promise<void> {
  kept = read()
  if (kept === null) return
  if (kept.access_token !== spent && kept.expires_at - Date.now() > EARLY_MS) return // another tab has been here
  const response = await post('/v1/auth/refresh', { refresh_token: kept.refresh_token })
  if (response.ok) keep((await response.json()) as Answer)
  else if (response.status === 401) forget()
  else throw await problemOf(response)
}

async function locked(work: () => Promise<void>): Promise<void> {
  if (navigator.locks === undefined) return work() // only where the page is not served securely
  await navigator.locks.request('lorry.session', work)
}

/** An access token that is good now, or null: nobody is signed in. SPENT: one that the server has refused. */
export async function accessToken(spent?: string): Promise<string | null> {
  if (kept === null) return null
  if (kept.access_token === spent || kept.expires_at - Date.now() < EARLY_MS) await locked(() => renew(spent))
  return kept?.access_token ?? null
}
