/** What Drive keeps on the device (IndexedDB): steps and fixes that wait to be sent, and the last state that was seen.
 * All of it belongs to an account: another one who signs in here neither sees nor sends it. */
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import type { Act, Refusal } from './acts.ts'
import type { Fix } from './fix.ts'

export type KeptFix = { id: number; account: string; fix: Fix }
export type Remembered<T> = { at: number; value: T }
interface Schema extends DBSchema {
  acts: { key: number; value: Act; indexes: { account: string } }
  fixes: { key: number; value: KeptFix; indexes: { account: string } }
  refusals: { key: string; value: Refusal }
  last: { key: string; value: Remembered<unknown> }
}

/** A week of one fix each 5 s, about 20 MB; the oldest go first. */
const FIXES_MAX = 120_000
/** The server takes a fix up to 30 days old. */
const FIX_AGE_MS_MAX = 29 * 86_400_000

let opened: Promise<IDBPDatabase<Schema>> | undefined
function db(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>('lorry.drive', 1, {
    upgrade(made) {
      for (const name of ['acts', 'fixes'] as const)
        made.createObjectStore(name, { keyPath: 'id', autoIncrement: true }).createIndex('account', 'account')
      made.createObjectStore('refusals', { keyPath: 'account' })
      made.createObjectStore('last')
    },
  })
  return opened
}

export async function addAct(act: Omit<Act, 'id'>): Promise<void> {
  await (await db()).add('acts', act as Act) // the store gives the id
}
export async function actsOf(account: string): Promise<Act[]> {
  return (await db()).getAllFromIndex('acts', 'account', account) // in the order of their ids
}
export async function dropAct(act: Act): Promise<void> {
  await (await db()).delete('acts', act.id)
}
/** Drops all that waits for the refused one's booking, and keeps the refusal until it has been read. */
export async function refuseActs(refusal: Refusal): Promise<void> {
  const tx = (await db()).transaction(['acts', 'refusals'], 'readwrite')
  const acts = await tx.objectStore('acts').index('account').getAll(refusal.account)
  for (const act of acts)
    if (act.booking_id === refusal.booking_id) await tx.objectStore('acts').delete(act.id)
  await tx.objectStore('refusals').put(refusal)
  await tx.done
}
export async function refusalOf(account: string): Promise<Refusal | null> {
  return (await (await db()).get('refusals', account)) ?? null
}
export async function dropRefusal(account: string): Promise<void> {
  await (await db()).delete('refusals', account)
}

export async function addFix(account: string, fix: Fix): Promise<void> {
  await (await db()).add('fixes', { account, fix } as KeptFix)
}
export async function fixCount(account: string): Promise<number> {
  return (await db()).countFromIndex('fixes', 'account', account)
}
/** The oldest ones, at most MAX. */
export async function oldestFixes(account: string, max: number): Promise<KeptFix[]> {
  return (await db()).getAllFromIndex('fixes', 'account', account, max)
}
export async function dropFixes(fixes: KeptFix[]): Promise<void> {
  const tx = (await db()).transaction('fixes', 'readwrite')
  for (const { id } of fixes) void tx.store.delete(id)
  await tx.done
}
/** Drops what the server would not take any more, and what is too much to keep. */
export async function pruneFixes(now: number): Promise<void> {
  const tx = (await db()).transaction('fixes', 'readwrite')
  let over = (await tx.store.count()) - FIXES_MAX
  for (let at = await tx.store.openCursor(); at !== null; at = await at.continue(), over--) {
    if (over <= 0 && now - Date.parse(at.value.fix.at) < FIX_AGE_MS_MAX) break
    await at.delete()
  }
  await tx.done
}

export async function remember(key: string, value: unknown): Promise<void> {
  await (await db()).put('last', { at: Date.now(), value }, key)
}
/** What waits to be sent stays. */
export async function forgetLast(): Promise<void> {
  await (await db()).clear('last')
}
export async function recall<T>(key: string): Promise<Remembered<T> | null> {
  return ((await (await db()).get('last', key)) as Remembered<T> | undefined) ?? null
}
