/** Dragging between jobs and drivers, either way. What is carried is an id under a type of its own, so that a row knows
 * before the drop whether it is meant. */
import { type DragEvent, useEffect, useRef, useState } from 'react'
import { useMap } from '@/map/Map.tsx'
import type { Fleet } from './fleet.ts'

const JOB = 'application/x-lorry-job'
const DRIVER = 'application/x-lorry-driver'
const REACH_PX = 32 // of a vehicle on the map

export function carryJob(event: DragEvent, id: string): void {
  event.dataTransfer.setData(JOB, id)
  event.dataTransfer.effectAllowed = 'link'
}
export function carryDriver(event: DragEvent, id: string): void {
  event.dataTransfer.setData(DRIVER, id)
  event.dataTransfer.effectAllowed = 'link'
}

/** Makes an element take what is of TYPE. */
function useDrop<T extends HTMLElement>(type: string, onDrop: (id: string) => void) {
  const ref = useRef<T>(null)
  const [over, setOver] = useState(false)
  const act = useRef(onDrop)
  act.current = onDrop
  useEffect(() => {
    const element = ref.current
    if (element === null) return
    const drag = (event: globalThis.DragEvent) => {
      if (!event.dataTransfer?.types.includes(type)) return
      event.preventDefault()
      setOver(true)
    }
    const leave = () => setOver(false)
    const drop = (event: globalThis.DragEvent) => {
      setOver(false)
      const id = event.dataTransfer?.getData(type)
      if (!id) return
      event.preventDefault()
      event.stopPropagation()
      act.current(id)
    }
    element.addEventListener('dragover', drag)
    element.addEventListener('dragleave', leave)
    element.addEventListener('drop', drop)
    return () => {
      element.removeEventListener('dragover', drag)
      element.removeEventListener('dragleave', leave)
      element.removeEventListener('drop', drop)
    }
  }, [type])
  return { ref, over }
}
export const useDropOfJob = <T extends HTMLElement>(onDrop: (jobId: string) => void) =>
  useDrop<T>(JOB, onDrop)
export const useDropOfDriver = <T extends HTMLElement>(onDrop: (driverId: string) => void) =>
  useDrop<T>(DRIVER, onDrop)

/** A job that is let go over a vehicle on the map is given to it. */
export function DropOnVehicle({
  fleet,
  onDropped,
}: {
  fleet: Fleet
  onDropped: (jobId: string, driverId: string) => void
}) {
  const drawn = useMap()
  const act = useRef(onDropped)
  act.current = onDropped
  useEffect(() => {
    if (drawn === null) return
    const box = drawn.map.getContainer()
    const over = (event: globalThis.DragEvent) =>
      event.dataTransfer?.types.includes(JOB) && event.preventDefault()
    const drop = (event: globalThis.DragEvent) => {
      const jobId = event.dataTransfer?.getData(JOB)
      if (!jobId) return
      event.preventDefault()
      const { left, top } = box.getBoundingClientRect()
      let nearest: string | null = null
      let reach = REACH_PX
      for (const v of fleet.vehicles.values()) {
        const at = drawn.map.project([v.lng, v.lat])
        const far = Math.hypot(at.x + left - event.clientX, at.y + top - event.clientY)
        if (far < reach) [nearest, reach] = [v.id, far]
      }
      if (nearest !== null) act.current(jobId, nearest)
    }
    box.addEventListener('dragover', over)
    box.addEventListener('drop', drop)
    return () => {
      box.removeEventListener('dragover', over)
      box.removeEventListener('drop', drop)
    }
  }, [drawn, fleet])
  return null
}
