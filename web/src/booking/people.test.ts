import { describe, expect, it } from 'vitest'
import type { Schemas } from '@/api/client.ts'
import { canCall, keepContacts, keepDriver } from './people.ts'

type Booking = Schemas['Booking']
const bo = { name: 'Bo Ek', phone: '+46701234567' }
const masked = { name: 'Bo', phone: '•••• 67' }

function booking(part: object, stops: object[] = []): Booking {
  return { id: 'b1', ended_at: null, notes: null, driver: null, stops, ...part } as Booking
}
const stop = (lat: number, part: object) => ({ lat, lng: 11, kind: 'dropoff', note: null, ...part })

it('a masked number cannot be called', () => {
  expect(canCall('+46701234567')).toBe(true)
  for (const phone of ['•••• 67', '••••', '', null, undefined]) expect(canCall(phone)).toBe(false)
})

describe('what is pushed', () => {
  const ola = { id: 'd1', name: 'Ola Berg', phone: '+46707654321', rating: null }
  const told = { id: 'd1', name: 'Ola', phone: '•••• 21', rating: null }

  it('keeps the driver whom the customer knows, while he has it', () => {
    const before = booking({ driver: ola })
    expect(keepDriver(before, booking({ driver: told })).driver).toEqual(ola)
    expect(keepDriver(before, booking({ driver: { ...told, id: 'd2' } })).driver?.name).toBe('Ola')
    expect(keepDriver(before, booking({ driver: told, ended_at: '2026-11-30T10:00:00Z' })).driver).toEqual(
      told,
    )
    expect(keepDriver(before, booking({ driver: null })).driver).toBeNull()
    expect(keepDriver(undefined, booking({ driver: told })).driver).toEqual(told)
    expect(keepDriver(booking({ id: 'b2', driver: ola }), booking({ driver: told })).driver).toEqual(told)
  })

  it('keeps the people whom the driver knows, wherever their stop stands now', () => {
    const before = booking({ notes: 'ring twice' }, [
      stop(1, { contact: bo, note: 'code 1' }),
      stop(2, { contact: null }),
    ])
    const after = keepContacts(
      before,
      booking({}, [stop(3, { contact: masked }), stop(1, { contact: masked })]),
    )
    expect(after.notes).toBe('ring twice')
    expect(after.stops.map((s) => s.contact)).toEqual([masked, bo])
    expect(after.stops.map((s) => s.note)).toEqual([null, 'code 1'])
    expect(keepContacts(null, booking({}, [stop(1, { contact: masked })])).stops[0]?.contact).toEqual(masked)
  })

  it('takes two stops at one door for what they are', () => {
    const door = (index: number, note: string | null) => stop(1, { index, contact: bo, note })
    const after = keepContacts(
      booking({}, [door(1, 'ground floor'), door(2, 'attic')]),
      booking({}, [door(1, null), door(2, null)]),
    )
    expect(after.stops.map((s) => s.note)).toEqual(['ground floor', 'attic'])
  })
})
