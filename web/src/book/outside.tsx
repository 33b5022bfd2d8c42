/** Stops that are not served: which, how far off they are, and the nearest place that is. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { distance } from '@/i18n/format.ts'
import { Button } from '@/ui/index.tsx'
import { useDraft } from './draft.ts'
import { nameOf } from './places.ts'

type Outside = { border: Schemas['Boundary']; stops: NonNullable<Schemas['Problem']['outside']> }

/** Null: the refusal is about something else, or there is no border. */
export function outsideOf(error: unknown): Outside | null {
  if (!(error instanceof Problem) || error.kind !== 'outside-service-area') return null
  const { boundary, outside } = error.members as Partial<Schemas['Problem']>
  return boundary && outside ? { border: boundary, stops: outside } : null
}

export function OutsideHelp({ outside }: { outside: Outside }) {
  const { t } = useTranslation()
  const [draft, change] = useDraft()
  async function move(stop: number, { lat, lng }: { lat: number; lng: number }) {
    const address = (await nameOf(lat, lng)) ?? t('place.pinned')
    change({ stops: draft.stops.map((s, i) => (i === stop ? { ...s, lat, lng, address } : s)) })
  }
  return (
    <section aria-label={t('outside.title')} className="grid gap-2">
      <p className="text-sm text-quiet">{t('outside.drawn')}</p>
      <ul className="grid gap-2">
        {outside.stops.map(({ stop, nearest, distance_m }) => (
          <li key={stop} className="grid gap-1 rounded-control border border-line p-3">
            <span>
              {t('outside.stop', {
                number: stop + 1,
                address: draft.stops[stop]?.address ?? '',
                distance: distance(distance_m),
              })}
            </span>
            <Button size="touch" className="justify-self-start" onClick={() => void move(stop, nearest)}>
              {t('outside.move')}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  )
}
