/** Where the stops are and where he is: fitted to himself and the next stop, until he moves it. */
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { fitTo, StopMarks, VehicleMarks } from '@/map/layers.tsx'
import { LorryMap, useMap } from '@/map/Map.tsx'
import { currentStop } from './acts.ts'
import { useGps } from './hooks.ts'

export default function JobMap({ job, className }: { job: Schemas['Booking']; className: string }) {
  const { t } = useTranslation()
  const gps = useGps()
  const here = gps.state === 'on' ? gps.fix : null
  const stop = currentStop(job)
  const first = stop ?? job.stops[0]
  return (
    <LorryMap
      label={t('drive.map')}
      className={className}
      {...(first && { view: { center: [first.lng, first.lat] as [number, number], zoom: 14 } })}
    >
      <StopMarks
        stops={job.stops.map((s) => ({
          lng: s.lng,
          lat: s.lat,
          label: String(s.index + 1),
          done: s.state === 'done',
        }))}
      />
      <VehicleMarks
        vehicles={
          here
            ? [{ id: 'me', lng: here.lng, lat: here.lat, bearing: here.bearing_deg ?? null, at: here.at }]
            : []
        }
      />
      {stop && <Fit stop={stop} here={here} />}
    </LorryMap>
  )
}

/** Again for each next stop, and once when his position is first known. */
function Fit({ stop, here }: { stop: Schemas['Stop']; here: { lat: number; lng: number } | null }) {
  const drawn = useMap()
  const known = here !== null
  // biome-ignore lint/correctness/useExhaustiveDependencies: not again for each fix
  useEffect(() => {
    if (drawn === null) return
    fitTo(drawn.map, [[stop.lng, stop.lat], ...(here ? [[here.lng, here.lat] as [number, number]] : [])])
  }, [drawn?.map, stop.index, known])
  return null
}
