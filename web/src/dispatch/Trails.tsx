/** Where vehicles were in the last hour: of nobody, of the one that is chosen, or of all in sight. */
import { useQueries } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { api, data } from '@/api/client.ts'
import { serverNow } from '@/api/session.ts'
import { useDrawn } from '@/map/layers.tsx'
import { useMap } from '@/map/Map.tsx'
import type { Fleet } from './fleet.ts'

export const trailChoices = ['none', 'chosen', 'all'] as const
export type TrailChoice = (typeof trailChoices)[number]

const TRAIL_MS = 60 * 60_000
const STEP_S = 20
const REREAD_MS = 15_000
const TRAILS_MAX = 30 // one question each; the nearest to the middle of the map

type Props = { fleet: Fleet | null; choice: TrailChoice; chosen: string | null }
export function Trails({ fleet, choice, chosen }: Props) {
  const inSight = useNearest(fleet, choice === 'all')
  const ids = choice === 'none' ? [] : choice === 'all' ? inSight : chosen === null ? [] : [chosen]
  const trails = useQueries({
    queries: ids.map((id) => ({
      queryKey: ['trail', id],
      refetchInterval: REREAD_MS,
      queryFn: () => readTrail(id),
    })),
    combine: (results) => results.map((r) => r.data ?? []),
  })
  const set = useDrawn('trails', (t) => [
    {
      id: 'trails-line',
      type: 'line',
      source: 'trails',
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': t.going, 'line-width': ['case', ['get', 'chosen'], 4, 2], 'line-opacity': 0.8 },
    },
  ])
  const drawn = useMap()
  const key = trails.map((lines) => lines.map((line) => `${line.length}/${line.at(-1)}`).join()).join('|')
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the trails
  useEffect(() => {
    set({
      type: 'FeatureCollection',
      features: trails.flatMap((lines, i) =>
        lines.map((coordinates) => ({
          type: 'Feature' as const,
          properties: { chosen: ids[i] === chosen },
          geometry: { type: 'LineString' as const, coordinates },
        })),
      ),
    })
  }, [key, chosen, drawn])
  return null
}

/** The stretches of the last hour, apart where nothing was heard for a while. */
async function readTrail(id: string): Promise<[number, number][][]> {
  const to = serverNow()
  const answer = await data(
    api.GET('/v1/drivers/{id}/playback', {
      params: {
        path: { id },
        query: {
          from: new Date(to - TRAIL_MS).toISOString(),
          to: new Date(to).toISOString(),
          step_s: STEP_S,
        },
      },
    }),
  )
  const lines: [number, number][][] = [[]]
  for (const at of answer.positions) {
    if (at === null) lines.push([])
    else lines.at(-1)?.push([at.lng, at.lat])
  }
  return lines.filter((line) => line.length > 1)
}

function useNearest(fleet: Fleet | null, wanted: boolean): string[] {
  const drawn = useMap()
  const [ids, setIds] = useState<string[]>([])
  useEffect(() => {
    if (!wanted || fleet === null || drawn === null) return
    const look = () => {
      const middle = drawn.map.getCenter()
      const away = (v: { lng: number; lat: number }) => Math.hypot(v.lng - middle.lng, v.lat - middle.lat)
      const near = [...fleet.vehicles.values()].sort((a, b) => away(a) - away(b)).slice(0, TRAILS_MAX)
      const next = near.map((v) => v.id).sort()
      setIds((before) => (before.join() === next.join() ? before : next))
    }
    look()
    const timer = setInterval(look, REREAD_MS)
    return () => clearInterval(timer)
  }, [wanted, fleet, drawn])
  return ids
}
