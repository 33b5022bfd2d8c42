/** The map of one booking: its stops, and the driver where he was seen last. A phone draws them first without a map. */
import { useTranslation } from 'react-i18next'
import { StopMarks, VehicleMarks } from '@/map/layers.tsx'
import { LorryMap } from '@/map/Map.tsx'
import { HEIGHT, sketched, WIDTH } from '@/map/sketch.ts'
import { useMapWanted } from '@/map/wanted.ts'

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
  const wanted = useMapWanted(true)
  return (
    <LorryMap
      label={t('track.map')}
      className={className}
      wanted={wanted}
      meanwhile={<Sketch stops={stops} position={position} />}
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

/** How the stops and he lie to one another; the page's list says the rest. */
function Sketch({ stops, position }: { stops: Stop[]; position: Seen | null }) {
  const places = sketched([...stops, ...(position ? [position] : [])])
  const seen = position && places.at(-1)
  return (
    <svg
      aria-hidden
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      className="absolute inset-0 h-full w-full bg-canvas font-medium text-sm"
    >
      <polyline
        points={places
          .slice(0, stops.length)
          .map((p) => `${p.x},${p.y}`)
          .join(' ')}
        fill="none"
        strokeWidth={2}
        strokeDasharray="2 6"
        strokeLinecap="round"
        className="stroke-quiet"
      />
      {stops.map((stop, i) => (
        <g key={stop.index} transform={`translate(${places[i]?.x} ${places[i]?.y})`}>
          <circle
            r={12}
            strokeWidth={2}
            className={stop.state === 'done' ? 'fill-good stroke-panel' : 'fill-text stroke-panel'}
          />
          <text textAnchor="middle" dominantBaseline="central" className="fill-panel">
            {stop.index + 1}
          </text>
        </g>
      ))}
      {seen && (
        <path
          d="M0-11 8 9 0 5-8 9Z"
          transform={`translate(${seen.x} ${seen.y}) rotate(${position.bearing_deg ?? 0})`}
          strokeWidth={2}
          className="fill-going stroke-panel"
        />
      )}
    </svg>
  )
}
