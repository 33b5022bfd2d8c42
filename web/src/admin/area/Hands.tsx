/** What fingers, mouse and keys do on the map: a corner is dragged, the middle of an edge becomes a corner, a ring is
 * chosen; and the chosen corner is a button of its own, which the arrow keys move. */
import type { Map as MapLibre, MapMouseEvent, MapTouchEvent } from 'maplibre-gl'
import { type KeyboardEvent, useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { number } from '@/i18n/format.ts'
import { useMap } from '@/map/Map.tsx'
import { cornerOf, halfway, type Position, position, ringAt, ringOf, type Shape, type Spot } from './shape.ts'

const MOUSE_PX = 10
const FINGER_PX = 22
const STEP_PX = 8
const DEGREE_DIGITS = 5 // a metre, as it is read out

export type HandsProps = {
  shape: Shape
  spot: Spot | null
  /** Presses of the map are places for a corner, and nothing is dragged. */
  placing: boolean
  onPlace: (at: Position) => void
  onSelect: (spot: Spot | null) => void
  /** Moves with the same KEY are one step. */
  onMove: (spot: Spot, to: Position, key?: string) => void
  onInsert: (spot: Spot, at: Position, key?: string) => void
  onRemove: (spot: Spot) => void
}

type Hit = { spot: Spot; middle: Position | null }
/** The corner, else the middle of an edge, of the chosen ring that is nearest to a pixel, within REACH. */
function hitAt(map: MapLibre, { shape, spot }: HandsProps, x: number, y: number, reach: number): Hit | null {
  const ring = ringOf(shape, spot)
  if (ring === null || spot === null) return null
  const far = (at: Position) => {
    const p = map.project(at)
    return Math.hypot(p.x - x, p.y - y)
  }
  const best = (hits: (Hit & { off: number })[]) =>
    hits.filter((h) => h.off <= reach).sort((a, b) => a.off - b.off)[0] ?? null
  const corners = ring.map((at, corner) => ({ spot: { ...spot, corner }, middle: null, off: far(at) }))
  const middles = ring.flatMap((_, corner) => {
    const middle = halfway(shape, { ...spot, corner })
    return middle === null ? [] : [{ spot: { ...spot, corner }, middle, off: far(middle) }]
  })
  return best(corners) ?? best(middles)
}

export function Hands(props: HandsProps) {
  const drawn = useMap()
  const now = useRef(props)
  now.current = props
  const map = drawn?.map
  useEffect(() => {
    if (map === undefined) return
    let drag: { spot: Spot; key: string } | null = null
    let grabbed = false // what follows a drag is no press of the map
    let drags = 0
    const at = (event: MapMouseEvent | MapTouchEvent) => position(event.lngLat.lng, event.lngLat.lat)
    const down = (event: MapMouseEvent | MapTouchEvent, reach: number) => {
      grabbed = false
      const p = now.current
      if (p.placing) return
      const hit = hitAt(map, p, event.point.x, event.point.y, reach)
      if (hit === null) return
      event.preventDefault() // the map stays where it is
      grabbed = true
      const key = `drag ${++drags}`
      if (hit.middle !== null) {
        p.onInsert(hit.spot, hit.middle, key)
        drag = { spot: { ...hit.spot, corner: (hit.spot.corner as number) + 1 }, key }
      } else {
        p.onSelect(hit.spot)
        drag = { spot: hit.spot, key }
      }
    }
    const move = (event: MapMouseEvent | MapTouchEvent) => {
      if (drag !== null) now.current.onMove(drag.spot, at(event), drag.key)
    }
    const up = () => {
      drag = null
    }
    const mouseDown = (event: MapMouseEvent) => event.originalEvent.button === 0 && down(event, MOUSE_PX)
    const touchStart = (event: MapTouchEvent) => (event.points.length === 1 ? down(event, FINGER_PX) : up())
    const click = (event: MapMouseEvent) => {
      const p = now.current
      if (p.placing) p.onPlace(at(event))
      else if (!grabbed) p.onSelect(ringAt(p.shape, at(event)))
    }
    map.on('mousedown', mouseDown)
    map.on('touchstart', touchStart)
    map.on('mousemove', move)
    map.on('touchmove', move)
    map.on('mouseup', up)
    map.on('touchend', up)
    map.on('touchcancel', up)
    map.on('click', click)
    window.addEventListener('mouseup', up) // let go of outside
    map.doubleClickZoom.disable()
    return () => {
      map.off('mousedown', mouseDown)
      map.off('touchstart', touchStart)
      map.off('mousemove', move)
      map.off('touchmove', move)
      map.off('mouseup', up)
      map.off('touchend', up)
      map.off('touchcancel', up)
      map.off('click', click)
      window.removeEventListener('mouseup', up)
    }
  }, [map])
  const corner = cornerOf(props.shape, props.spot)
  return corner === null || map === undefined ? null : <Handle {...props} map={map} at={corner} />
}

/** The chosen corner, for keys and for whoever hears the page. Pointers go through it to the map. */
function Handle({ map, at, ...props }: HandsProps & { map: MapLibre; at: Position }) {
  const { t } = useTranslation()
  const button = useRef<HTMLButtonElement>(null)
  const spot = props.spot as Spot & { corner: number }
  const size = ringOf(props.shape, spot)?.length ?? 0
  const [lng, lat] = at
  useEffect(() => {
    const place = () => {
      const p = map.project([lng, lat])
      if (button.current) button.current.style.transform = `translate(${p.x - 14}px, ${p.y - 14}px)`
    }
    place()
    map.on('move', place)
    map.on('resize', place)
    return () => {
      map.off('move', place)
      map.off('resize', place)
    }
  }, [map, lng, lat])
  const reveal = (p: Position) => {
    const { x, y } = map.project(p)
    const { clientWidth: w, clientHeight: h } = map.getContainer()
    if (x < 20 || y < 20 || x > w - 20 || y > h - 20) map.easeTo({ center: p, duration: 0 })
  }
  const nudge = (dx: number, dy: number, fine: boolean) => {
    const p = map.project(at)
    const step = fine ? 1 : STEP_PX
    const { lng, lat } = map.unproject([p.x + dx * step, p.y + dy * step])
    const to = position(lng, lat)
    props.onMove(spot, to, `nudge ${spot.polygon} ${spot.ring} ${spot.corner}`)
    reveal(to)
  }
  const choose = (corner: number) => {
    const next = { ...spot, corner: (corner + size) % size }
    props.onSelect(next)
    const there = cornerOf(props.shape, next)
    if (there) reveal(there)
  }
  const arrows: Record<string, [number, number]> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  }
  function onKeyDown(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const arrow = arrows[event.key]
    if (arrow) nudge(...arrow, event.shiftKey)
    else if (event.key === 'PageDown' || event.key === ']') choose(spot.corner + 1)
    else if (event.key === 'PageUp' || event.key === '[') choose(spot.corner - 1)
    else if (event.key === 'Insert' || event.key === '+') {
      const middle = halfway(props.shape, spot)
      if (middle) props.onInsert(spot, middle)
    } else if (event.key === 'Delete' || event.key === 'Backspace') props.onRemove(spot)
    else if (event.key === 'Escape') props.onSelect({ ...spot, corner: null })
    else return
    event.preventDefault()
  }
  return (
    <div className="pointer-events-none absolute inset-0 overflow-hidden">
      <button
        ref={button}
        type="button"
        dir="ltr"
        className="absolute top-0 left-0 grid size-7 place-items-center rounded-full border-2 border-going bg-panel text-sm"
        aria-label={t('area.handle', {
          n: spot.corner + 1,
          of: size,
          lat: number(lat, DEGREE_DIGITS),
          long: number(lng, DEGREE_DIGITS),
        })}
        aria-keyshortcuts="ArrowLeft ArrowRight ArrowUp ArrowDown PageUp PageDown Insert Delete"
        onFocus={() => reveal(at)}
        onKeyDown={onKeyDown}
      >
        <span aria-hidden className="size-3 rounded-full bg-going" />
      </button>
    </div>
  )
}
