import { describe, expect, it } from 'vitest'
import { cornersOf, draftOf, requestOf, schema, type Tariffs } from './draft.ts'

const full: Tariffs = {
  currency: 'SEK',
  items: [
    {
      vehicle: 'van',
      zone: 'Centre',
      base: 9950,
      per_km: 1500,
      per_minute: 260,
      minimum: 12900,
      per_stop: 3500,
      waiting_per_minute: 400,
      waiting_free_minutes: 10,
      capacity_kg: 900,
      capacity_l: 12000,
    },
  ],
  timezone: 'Europe/Stockholm',
  zones: [
    {
      name: 'Centre',
      area: [
        { lat: 57.7, lng: 11.9 },
        { lat: 57.8, lng: 11.9 },
        { lat: 57.7, lng: -12 },
      ],
    },
  ],
  night: { from: '22:00', to: '06:00', add_percent: 25 },
  weekend: { days: ['sat'], add_percent: 10 },
  holiday: { dates: ['2026-12-25'], add_percent: 50 },
  surge: { from_percent: 120, full_percent: 200, add_percent: 40 },
  taxes: [{ name: 'VAT', rate_bp: 2550 }],
  taxes_included: true,
  commission_bp: 1225,
  cancellation: {
    free_minutes: 5,
    assigned_percent: 20,
    arrived_percent: 100,
    late_minutes: 60,
    late_percent: 10,
  },
  version: 7,
  next_cursor: null,
}

describe('tariffs as they are typed', () => {
  it('come back as they were', () => {
    const { version: _, next_cursor: __, ...request } = full
    expect(requestOf(schema.parse(draftOf(full)) as ReturnType<typeof draftOf>, full)).toEqual(request)
  })
  it('have the digits of their currency', () => {
    const yen = draftOf({ ...full, currency: 'JPY' })
    expect(yen.items[0]?.base).toBe('9950')
    expect(requestOf(yen, { ...full, currency: 'JPY' }).items[0]?.base).toBe(9950)
    expect(draftOf({ ...full, currency: 'KWD' }).items[0]?.base).toBe('9.950')
  })
  it('may be written with a comma, or the digits of another script', () => {
    const draft = draftOf(full)
    for (const typed of ['99,5', '٩٩.٥', '९९.५']) {
      const items = [{ ...draft.items[0], base: typed }]
      expect(schema.parse({ ...draft, items }).items[0]?.base).toBe('99.5')
    }
  })
  it('refuse what is no amount, no percentage, no day, no area', () => {
    const draft = draftOf(full)
    const rate = draft.items[0]
    const wrong = [
      { ...draft, items: [] },
      { ...draft, items: [{ ...rate, base: '' }] },
      { ...draft, items: [{ ...rate, base: '-1' }] },
      { ...draft, items: [{ ...rate, per_km: '1e3' }] },
      { ...draft, night: { ...draft.night, from: '24:00' } },
      { ...draft, night: { ...draft.night, add_percent: '' } },
      { ...draft, weekend: { ...draft.weekend, days: [] } },
      { ...draft, holiday: { ...draft.holiday, dates: [{ date: 'x' }] } },
      { ...draft, taxes: [{ name: '', rate_bp: '25' }] },
      { ...draft, taxes: [{ name: 'VAT', rate_bp: 'a lot' }] },
      { ...draft, zones: [{ name: 'Two corners', area: '57, 11\n58, 11' }] },
      { ...draft, note: 'x'.repeat(501) },
    ]
    for (const each of wrong) expect(schema.safeParse(each).success, JSON.stringify(each)).toBe(false)
  })
  it('keep what the form has no field for', () => {
    const more = { ...full, loyalty: { from: 3 } }
    expect(requestOf(draftOf(more), more)).toMatchObject({ loyalty: { from: 3 } })
  })
  it('do not mind what is switched off', () => {
    const draft = draftOf(full)
    const off = { ...draft, night: { on: false, from: '', to: 'x', add_percent: '' } }
    expect(schema.safeParse(off).success).toBe(true)
    expect(requestOf(off, full).night).toBeUndefined()
  })
})

it('corners stand one a line', () => {
  expect(cornersOf('57.7, 11.9\n\n57.8 11.9\n57.7; -12')).toHaveLength(3)
  expect(cornersOf('57.7, 11.9\n57.8, 11.9\nhere')).toBeNull()
})
