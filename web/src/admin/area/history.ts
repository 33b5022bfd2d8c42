/** What has been drawn, step by step, so that each can be undone. */
import type { Shape, Spot } from './shape.ts'

export const STEPS_MAX = 100
export type State = {
  shape: Shape
  spot: Spot | null
  past: Shape[]
  future: Shape[]
  /** Of the last step; one that has the same belongs to it (a drag is one step, however many moves it has). */
  key: string | null
}
export type Act =
  | { type: 'put'; shape: Shape; spot?: Spot | null; key?: string }
  | { type: 'select'; spot: Spot | null }
  | { type: 'undo' }
  | { type: 'redo' }

export function begin(shape: Shape): State {
  return {
    shape,
    spot: shape.length > 0 ? { polygon: 0, ring: 0, corner: null } : null,
    past: [],
    future: [],
    key: null,
  }
}

/** A spot that is still there, or what is left of it. */
function still(shape: Shape, spot: Spot | null): Spot | null {
  if (spot === null || shape.length === 0) return null
  const ring = shape[spot.polygon]?.[spot.ring]
  if (ring === undefined) return { polygon: Math.min(spot.polygon, shape.length - 1), ring: 0, corner: null }
  return spot.corner === null || spot.corner < ring.length ? spot : { ...spot, corner: ring.length - 1 }
}

export function reduce(state: State, act: Act): State {
  const { shape, past, future } = state
  switch (act.type) {
    case 'select':
      return { ...state, spot: still(shape, act.spot), key: null }
    case 'put': {
      const joined = act.key !== undefined && act.key === state.key
      return {
        shape: act.shape,
        spot: still(act.shape, act.spot === undefined ? state.spot : act.spot),
        past: joined ? past : [...past, shape].slice(-STEPS_MAX),
        future: [],
        key: act.key ?? null,
      }
    }
    case 'undo': {
      const last = past.at(-1)
      if (last === undefined) return state
      return {
        shape: last,
        spot: still(last, state.spot),
        past: past.slice(0, -1),
        future: [shape, ...future],
        key: null,
      }
    }
    case 'redo': {
      const [next, ...rest] = future
      if (next === undefined) return state
      return { shape: next, spot: still(next, state.spot), past: [...past, shape], future: rest, key: null }
    }
  }
}
