/** Where from, where to, and what lies between. */
import { Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNow } from '@/app/hooks.ts'
import { part } from '@/app/part.ts'
import { NowOrLater } from '@/later/NowOrLater.tsx'
import { faultOf, useAreaZone } from '@/later/zone.ts'
import { Button, cx } from '@/ui/index.tsx'
import { type DraftStop, emptyStop, isPlaced, movedStop, STOPS_MAX, useDraft } from './draft.ts'
import { Grip } from './Grip.tsx'
import { PlaceField } from './PlaceField.tsx'
import { StopButtons } from './StopButtons.tsx'

const SavePlace = part(async () => {
  const { words, SavePlace } = await import('@/saved/SavePlace.tsx')
  await words()
  return { default: SavePlace }
})

export function StopsStep({ onPin, onNext }: { onPin: (index: number) => void; onNext: () => void }) {
  const { t } = useTranslation()
  const [draft, change] = useDraft()
  const { stops } = draft
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null)
  const zone = useAreaZone()
  const now = useNow(10_000)
  const badTime = draft.when !== null && faultOf(draft.when, zone, now) !== null
  const set = (index: number, part: Partial<DraftStop>) =>
    change({ stops: stops.map((s, i) => (i === index ? { ...s, ...part } : s)) })
  const name = (index: number) =>
    index === 0
      ? t('stop.pickup')
      : stops.length === 2
        ? t('stop.dropoff')
        : t('stop.numbered', { number: index })

  return (
    <form
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        onNext()
      }}
    >
      <h1 tabIndex={-1} className="text-lg font-semibold">
        {t('book.where')}
      </h1>
      <ol className="grid gap-3">
        {stops.map((stop, index) => (
          <li
            key={stop.key}
            className={cx(
              'grid gap-1 rounded-control',
              drag?.from === index && 'opacity-50',
              drag !== null && drag.to === index && drag.to !== drag.from && 'outline-2 outline-accent',
            )}
          >
            <div className="flex items-end gap-1">
              {stops.length > 2 && (
                <Grip
                  index={index}
                  onAim={(to) => setDrag(to === null ? null : { from: index, to })}
                  onDrop={(to) => to !== index && change({ stops: movedStop(stops, index, to) })}
                />
              )}
              <PlaceField
                label={name(index)}
                value={stop.address}
                chosen={isPlaced(stop)}
                onType={(address) => set(index, { address, lat: null, lng: null })}
                onChoose={(place, contact) =>
                  set(index, {
                    address: place.label,
                    lat: place.lat,
                    lng: place.lng,
                    ...(contact && { contactName: contact.name ?? '', contactPhone: contact.phone ?? '' }),
                  })
                }
                onPin={() => onPin(index)}
              />
              {stops.length > 2 && (
                <StopButtons
                  stop={name(index)}
                  first={index === 0}
                  last={index === stops.length - 1}
                  onMove={(by) => change({ stops: movedStop(stops, index, index + by) })}
                  onRemove={() => change({ stops: stops.filter((_, i) => i !== index) })}
                />
              )}
            </div>
            {isPlaced(stop) && (
              // It comes late: what is below must not move under a finger.
              <div className="grid min-h-compact content-center">
                <Suspense>
                  <SavePlace stop={name(index)} lat={stop.lat} lng={stop.lng} address={stop.address} />
                </Suspense>
              </div>
            )}
          </li>
        ))}
      </ol>
      <Button
        kind="quiet"
        className="justify-self-start"
        disabled={stops.length >= STOPS_MAX}
        onClick={() => change({ stops: [...stops, emptyStop()] })}
      >
        + {t('book.addStop')}
      </Button>
      <NowOrLater />
      <Button kind="primary" type="submit" disabled={!stops.every(isPlaced) || badTime}>
        {t('book.seePrices')}
      </Button>
    </form>
  )
}
