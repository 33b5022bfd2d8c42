/** On the map: which trails are drawn, and all of it in one view. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data } from '@/api/client.ts'
import { fitTo } from '@/map/layers.tsx'
import { useMap } from '@/map/Map.tsx'
import { Button } from '@/ui/index.tsx'
import { type TrailChoice, trailChoices } from './Trails.tsx'

type Props = { trails: TrailChoice; onTrails: (choice: TrailChoice) => void; stops: () => [number, number][] }
export function MapTools({ trails, onTrails, stops }: Props) {
  const { t } = useTranslation()
  const drawn = useMap()
  const [busy, setBusy] = useState(false)
  async function fitAll() {
    setBusy(true)
    try {
      const fleet = await data(api.GET('/v1/fleet'))
      const points = [...fleet.items.map((v) => [v.lng, v.lat] as [number, number]), ...stops()]
      if (drawn !== null && points.length > 0) fitTo(drawn.map, points)
    } catch {
      // The badge says that the server is away; nothing has moved.
    } finally {
      setBusy(false)
    }
  }
  return (
    <div className="pointer-events-none absolute inset-x-2 top-2 z-10 flex flex-wrap items-center justify-end gap-2 *:pointer-events-auto">
      <label className="flex min-w-0 max-w-full items-center gap-1 rounded-control border border-line bg-panel px-2 text-sm">
        {t('console.trails')}
        <select
          className="min-h-compact min-w-0 bg-panel"
          value={trails}
          onChange={(event) => onTrails(event.target.value as TrailChoice)}
        >
          {trailChoices.map((choice) => (
            <option key={choice} value={choice}>
              {t(`console.trailsOf.${choice}`)}
            </option>
          ))}
        </select>
      </label>
      <Button size="compact" className="bg-panel" busy={busy} onClick={() => void fitAll()}>
        {t('console.fitAll')}
      </Button>
    </div>
  )
}
