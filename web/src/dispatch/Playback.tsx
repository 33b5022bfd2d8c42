/** A stretch of time of one vehicle, played back: a slider, and where it was then. */
import { useQuery } from '@tanstack/react-query'
import { useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { serverNow } from '@/api/session.ts'
import { clock } from '@/i18n/format.ts'
import { useDrawn } from '@/map/layers.tsx'
import { useMap } from '@/map/Map.tsx'
import { Button, Empty, Failure, Skeleton } from '@/ui/index.tsx'

type At = Schemas['Playback']['positions'][number]
export const spans = { 1: 5, 4: 15, 24: 60 } as const // hours: seconds a step
export type Span = keyof typeof spans
const TICK_MS = 100 // a step of the recording

export type Played = {
  from: number // ms
  step_ms: number
  positions: At[]
  index: number
}

export function usePlayback(driverId: string | null, span: Span) {
  const [end, setEnd] = useState(() => serverNow())
  // biome-ignore lint/correctness/useExhaustiveDependencies: another vehicle, or another stretch, ends now
  useEffect(() => setEnd(serverNow()), [driverId, span])
  return useQuery({
    queryKey: ['playback', driverId, span, end],
    enabled: driverId !== null,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () =>
      data(
        api.GET('/v1/drivers/{id}/playback', {
          params: {
            path: { id: driverId ?? '' },
            query: {
              from: new Date(end - span * 3_600_000).toISOString(),
              to: new Date(end).toISOString(),
              step_s: spans[span],
            },
          },
        }),
      ),
  })
}

type Props = {
  query: ReturnType<typeof usePlayback>
  span: Span
  index: number
  onSpan: (span: Span) => void
  onIndex: (index: number) => void
}
export function PlaybackPanel({ query, span, index, onSpan, onIndex }: Props) {
  const { t } = useTranslation()
  const [plays, setPlays] = useState(false)
  const id = useId()
  const positions = query.data?.positions ?? []
  const last = positions.length - 1
  const time = new Date(Date.parse(query.data?.from ?? '') + index * spans[span] * 1000)
  useEffect(() => {
    if (!plays) return
    if (index >= last) {
      setPlays(false)
      return
    }
    const timer = setTimeout(() => onIndex(index + 1), TICK_MS)
    return () => clearTimeout(timer)
  }, [plays, index, last, onIndex])

  return (
    <section aria-label={t('console.playback')} className="grid gap-2 border-t border-line pt-3">
      <fieldset className="flex flex-wrap gap-1">
        <legend className="mb-1 text-sm font-medium">{t('console.playback')}</legend>
        {([1, 4, 24] as const).map((hours) => (
          <Button key={hours} size="compact" aria-pressed={hours === span} onClick={() => onSpan(hours)}>
            {t('console.lastHours', { count: hours })}
          </Button>
        ))}
      </fieldset>
      {query.error !== null ? (
        <Failure error={query.error} retry={() => void query.refetch()} />
      ) : query.data === undefined ? (
        <Skeleton className="h-touch" />
      ) : positions.every((p) => p === null) ? (
        <Empty>{t('console.nothingHeard')}</Empty>
      ) : (
        <>
          <label htmlFor={id} className="sr-only">
            {t('console.moment')}
          </label>
          <input
            id={id}
            type="range"
            className="min-h-compact w-full accent-accent"
            min={0}
            max={last}
            value={index}
            aria-valuetext={clock(time.toISOString())}
            onChange={(event) => onIndex(Number(event.target.value))}
          />
          <p className="flex items-center gap-2">
            <Button size="compact" onClick={() => setPlays(!plays)}>
              {t(plays ? 'console.pause' : 'console.play')}
            </Button>
            <span className="figures grow text-sm">{clock(time.toISOString())}</span>
            {positions[index] === null && <span className="text-sm text-waits">{t('console.silent')}</span>}
          </p>
        </>
      )}
    </section>
  )
}

/** The way up to the moment that is shown, and the vehicle there. */
export function PlaybackLine({ positions, index }: { positions: At[]; index: number }) {
  const drawn = useMap()
  const set = useDrawn('playback', (t) => [
    {
      id: 'playback-line',
      type: 'line',
      source: 'playback',
      filter: ['==', ['geometry-type'], 'LineString'],
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': t.accent, 'line-width': 4 },
    },
    {
      id: 'playback-dot',
      type: 'circle',
      source: 'playback',
      filter: ['==', ['geometry-type'], 'Point'],
      paint: {
        'circle-radius': 9,
        'circle-color': t.accent,
        'circle-stroke-color': t.panel,
        'circle-stroke-width': 3,
      },
    },
  ])
  // biome-ignore lint/correctness/useExhaustiveDependencies: `set` changes with the map only
  useEffect(() => {
    const way = positions.slice(0, index + 1).filter((p) => p !== null)
    const coordinates = way.map((p) => [p.lng, p.lat] as [number, number])
    const here = coordinates.at(-1)
    set({
      type: 'FeatureCollection',
      features: [
        ...(coordinates.length > 1
          ? [
              {
                type: 'Feature' as const,
                properties: {},
                geometry: { type: 'LineString' as const, coordinates },
              },
            ]
          : []),
        ...(here
          ? [
              {
                type: 'Feature' as const,
                properties: {},
                geometry: { type: 'Point' as const, coordinates: here },
              },
            ]
          : []),
      ],
    })
  }, [positions, index, drawn])
  return null
}
