/** The map of one booking: its stops, and the driver where he was seen last. */
import { useTranslation } from 'react-i18next'
import { StopMarks, VehicleMarks } from '@/map/layers.tsx'
import { LorryMap } from '@/map/Map.tsx'

type Stop = { index: number; lat: number; lng: number; state: string }
type Seen = { lat: number; lng: number; bearing_deg: number | null; at: string }

export function JourneyMap({
  stops,
  position,
  zoom,
  className,
}: {
  stops: Stop[]
  position: Seen | null
  zoom: number
  className: string
}) {
  const { t } = useTranslation()
  const first = stops[0]
  return (
    <LorryMap
      label={t('track.map')}
      className={className}
      {...(first && { view: { center: [first.lng, first.lat] as [number, number], zoom } })}
    >
      <StopMarks
        stops={stops.map((s) => ({
          lng: s.lng,
          lat: s.lat,
          label: String(s.index + 1),
          done: s.state === 'done',
        }))}
      />
      <VehicleMarks
        vehicles={
          position
            ? [
                {
                  id: 'v',
                  lng: position.lng,
                  lat: position.lat,
                  bearing: position.bearing_deg,
                  at: position.at,
                },
              ]
            : []
        }
      />
    </LorryMap>
  )
}
