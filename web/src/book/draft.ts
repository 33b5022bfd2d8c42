/** What a customer is putting together. It survives Back, a reload and an expired quote; it ends with the booking. */
import { useCallback, useSyncExternalStore } from 'react'
import type { Schemas } from '@/api/client.ts'
import { latinDigits } from '@/i18n/format.ts'
import type { Typed } from '@/later/zone.ts'

export type DraftStop = {
  key: string
  lat: number | null // null: not chosen yet
  lng: number | null
  address: string
  contactName: string
  contactPhone: string
  note?: string // absent in drafts from before there were any
  /** Absent: as the house asks for; none: nothing. */
  proof?: Schemas['ProofKind'][] | undefined
  collect?: string // cash on delivery, as it was typed
}
export type DraftGoods = { key: string; name: string; kg: string; count: string; handling: string[] }
export type Draft = {
  stops: DraftStop[]
  notes: string
  payment: Schemas['Payment']
  vehicle: Schemas['Vehicle'] | null
  /** By the clock of the service area; null: as soon as can be. */
  when: Typed | null
  prefer?: boolean // favourite drivers are asked first
  goods?: DraftGoods[] // absent in drafts from before there were any
  promo?: string // the code as it was typed; '': none
  /** One act of booking has one key, however often it is sent. */
  key: string
}

export const STOPS_MAX = 20
export const GOODS_MAX = 20
const STORED = 'lorry.draft'

export function emptyStop(): DraftStop {
  return { key: crypto.randomUUID(), lat: null, lng: null, address: '', contactName: '', contactPhone: '' }
}
export function emptyGoods(): DraftGoods {
  return { key: crypto.randomUUID(), name: '', kg: '', count: '1', handling: [] }
}
export function emptyDraft(): Draft {
  return {
    stops: [emptyStop(), emptyStop()],
    notes: '',
    payment: 'cash',
    vehicle: null,
    when: null,
    key: crypto.randomUUID(),
  }
}

function read(): Draft {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORED) ?? 'null') as Draft | null
    return kept?.stops?.length ? { ...emptyDraft(), ...kept } : emptyDraft()
  } catch {
    return emptyDraft()
  }
}
let draft = read()
const listeners = new Set<() => void>()

export function setDraft(next: Draft): void {
  draft = next
  sessionStorage.setItem(STORED, JSON.stringify(next))
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
export function useDraft(): [Draft, (change: Partial<Draft>) => void] {
  const value = useSyncExternalStore(subscribe, () => draft)
  const change = useCallback((part: Partial<Draft>) => setDraft({ ...draft, ...part }), [])
  return [value, change]
}

export function isPlaced(stop: DraftStop): stop is DraftStop & { lat: number; lng: number } {
  return stop.lat !== null && stop.lng !== null
}
export function movedStop<T>(stops: T[], from: number, to: number): T[] {
  const next = [...stops]
  const [stop] = next.splice(from, 1)
  if (stop !== undefined) next.splice(to, 0, stop)
  return next
}

/** Who is there, and what is to be known there, as the API takes it; nothing where nothing was said. */
export function peopleOf(stop: DraftStop): { contact?: Schemas['Contact']; note?: string } {
  const contact: Schemas['Contact'] = {}
  if (stop.contactName.trim()) contact.name = stop.contactName.trim()
  if (stop.contactPhone.trim()) contact.phone = latinDigits(stop.contactPhone).replace(/[\s()-]/g, '')
  const note = stop.note?.trim() ?? ''
  return { ...(Object.keys(contact).length > 0 && { contact }), ...(note !== '' && { note }) }
}

/** What is said of the goods, as the API takes it; those without a name are not said yet. */
export function goodsOf(draft: Draft): Schemas['Goods'][] {
  return (draft.goods ?? [])
    .filter((g) => g.name.trim() !== '')
    .map((g) => {
      const grams = Math.round(Number(g.kg.replace(',', '.')) * 1000)
      const count = Math.round(Number(g.count))
      return {
        name: g.name.trim(),
        ...(grams > 0 && grams <= 40_000_000 ? { weight_g: grams } : {}),
        ...(count > 1 && count <= 1000 ? { count } : {}),
        ...(g.handling.length > 0 ? { handling: g.handling } : {}),
      }
    })
}

/** The same trip once more, as a new draft; a way back of its goods was no part of it. */
export function draftOf(booking: Schemas['Booking']): Draft {
  return {
    ...emptyDraft(),
    stops: booking.stops
      .filter((s) => s.kind !== 'return')
      .map((s) => ({
        ...emptyStop(),
        lat: s.lat,
        lng: s.lng,
        address: s.address ?? '',
        contactName: s.contact?.name ?? '',
        contactPhone: s.contact?.phone ?? '',
        note: s.note ?? '',
        ...(s.proof?.required.length ? { proof: s.proof.required } : {}),
      })),
    notes: booking.notes ?? '',
    payment: booking.payment,
    vehicle: booking.vehicle,
    goods: (booking.goods ?? []).map((g) => ({
      ...emptyGoods(),
      name: g.name,
      kg: g.weight_g === undefined ? '' : String(g.weight_g / 1000),
      count: String(g.count ?? 1),
      handling: g.handling ?? [],
    })),
  }
}
