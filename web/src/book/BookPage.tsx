/** Booking, one decision a screen: where, which vehicle, is all of it right. The step is in the address, so that Back
 * goes one step back and keeps what was written. */
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate, useSearchParams } from 'react-router'
import { ServiceBorder } from '@/map/border.tsx'
import { fitTo, RouteLine, StopMarks } from '@/map/layers.tsx'
import { LorryMap, useMap } from '@/map/Map.tsx'
import { decodePolyline } from '@/map/polyline.ts'
import { useMapWanted } from '@/map/wanted.ts'
import { Button } from '@/ui/index.tsx'
import { isPlaced, useDraft } from './draft.ts'
import { OutsideHelp, outsideOf } from './outside.tsx'
import { nameOf, rememberPlace } from './places.ts'
import { useQuotes } from './quotes.ts'
import { ReviewStep } from './ReviewStep.tsx'
import { StopsStep } from './StopsStep.tsx'
import { VehicleStep } from './VehicleStep.tsx'

export function BookPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [query, setQuery] = useSearchParams()
  const [draft, change] = useDraft()
  const [pinning, setPinning] = useState<number | null>(null)
  const atWork = useMapWanted()
  const placed = draft.stops.every(isPlaced)
  const asked = query.get('step')
  const step = placed && (asked === 'vehicle' || asked === 'review') ? asked : 'stops'
  const panel = useStepBegins(step)
  const quotes = useQuotes(draft, step !== 'stops')
  const go = (to: string) => setQuery(to === 'stops' ? {} : { step: to })
  const outside = step === 'stops' ? null : outsideOf(quotes.error)
  const shown = quotes.data?.find((q) => q.vehicle === draft.vehicle) ?? quotes.data?.[0]

  async function pin(at: { lat: number; lng: number }) {
    if (pinning === null) return
    const index = pinning
    setPinning(null)
    const lat = Number(at.lat.toFixed(6))
    const lng = Number(at.lng.toFixed(6))
    const address = (await nameOf(lat, lng)) ?? t('place.pinned')
    rememberPlace({ label: address, detail: null, lat, lng })
    change({ stops: draft.stops.map((s, i) => (i === index ? { ...s, lat, lng, address } : s)) })
  }

  return (
    <div className="flex h-full flex-col-reverse md:flex-row">
      <div
        ref={panel}
        className="max-h-[65%] overflow-auto border-t border-line bg-panel p-4 md:max-h-none md:w-96 md:shrink-0 md:border-e md:border-t-0"
      >
        {pinning !== null ? (
          <div className="grid gap-3">
            <p>{t('place.tap')}</p>
            <Button onClick={() => setPinning(null)}>{t('back')}</Button>
          </div>
        ) : step === 'stops' ? (
          <StopsStep onPin={setPinning} onNext={() => go('vehicle')} />
        ) : step === 'vehicle' ? (
          <>
            <VehicleStep quotes={quotes} onNext={() => go('review')} onBack={() => navigate(-1)} />
            {outside && <OutsideHelp outside={outside} />}
          </>
        ) : (
          <ReviewStep
            quotes={quotes}
            onBack={() => navigate(-1)}
            onBooked={(booking) => navigate(`/book/${booking.id}`, { replace: true })}
          />
        )}
      </div>
      <LorryMap
        label={t('book.map')}
        className="min-h-40 grow"
        wanted={atWork || draft.stops.some(isPlaced)}
        onClick={(at) => void pin(at)}
      >
        {step !== 'stops' && shown && <RouteLine line={decodePolyline(shown.polyline)} fit />}
        <StopMarks
          stops={draft.stops
            .filter(isPlaced)
            .map((s, i) => ({ lng: s.lng, lat: s.lat, label: String(i + 1) }))}
        />
        {outside ? (
          <ServiceBorder
            border={outside.border}
            and={draft.stops.filter(isPlaced).map((s) => [s.lng, s.lat])}
          />
        ) : (
          <FitStops stops={draft.stops.filter(isPlaced).map((s) => [s.lng, s.lat])} />
        )}
      </LorryMap>
    </div>
  )
}

/** A step begins at its top and with its heading, wherever the one before was left: for eyes, keys and ears alike. The first one
 * a page shows takes nobody's focus. */
function useStepBegins(step: string) {
  const panel = useRef<HTMLDivElement>(null)
  const shown = useRef(step)
  useEffect(() => {
    if (shown.current === step) return
    shown.current = step
    panel.current?.scrollTo({ top: 0, behavior: 'instant' })
    panel.current?.querySelector('h1')?.focus({ preventScroll: true })
  }, [step])
  return panel
}

/** Moves the map when a stop is placed, and not when the person moves it. */
function FitStops({ stops }: { stops: [number, number][] }) {
  const drawn = useMap()
  const key = JSON.stringify(stops)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the stops
  useEffect(() => {
    if (drawn !== null && stops.length > 0) fitTo(drawn.map, stops)
  }, [key, drawn?.map])
  return null
}
