/** What is typed of a vehicle, and what is sent of it. No I/O here. */
import type { Schemas } from '@/api/client.ts'

type Vehicle = Schemas['OwnVehicle']
export type VehicleDraft = { class: Schemas['Vehicle']; plate: string; kg: string } // kg '': the usual of its class

export function draftOf(vehicle?: Vehicle): VehicleDraft {
  if (vehicle === undefined) return { class: 'van', plate: '', kg: '' }
  return { class: vehicle.class, plate: vehicle.plate, kg: String(vehicle.capacity_kg) }
}

/** Of another class it carries the usual, unless something else was typed. */
export function ofClass(draft: VehicleDraft, kind: Schemas['Vehicle'], vehicle?: Vehicle): VehicleDraft {
  const was = vehicle === undefined ? '' : String(vehicle.capacity_kg)
  if (kind === vehicle?.class) return { ...draft, class: kind, kg: draft.kg || was }
  return { ...draft, class: kind, kg: draft.kg === was ? '' : draft.kg }
}

/** What nobody asks for here, litres and pieces, stays as it was while the class does. */
export function vehicleOf(draft: VehicleDraft, vehicle?: Vehicle): Schemas['DriverVehicle'] {
  return {
    class: draft.class,
    plate: draft.plate.trim(),
    ...(draft.kg !== '' && { capacity_kg: Number(draft.kg) }),
    ...(draft.class === vehicle?.class && {
      capacity_l: vehicle.capacity_l,
      capacity_items: vehicle.capacity_items,
    }),
  }
}
