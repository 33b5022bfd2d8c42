/** The map as the canvas of a page. MapLibre is loaded only when a map is shown. Children get the map by useMap and
 * draw on it; they are told again when the style has been made anew, which drops what was added. A change of theme gives the
 * layers other colours, no more. */
import type { Map as MapLibre, PaddingOptions } from 'maplibre-gl'
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { patiently } from '@/app/part.ts'
import { useTheme } from '@/app/theme.ts'
import { loadBasemap } from './basemap.ts'
import { mapStyle, recolour } from './style.ts'

/** `generation` rises whenever sources and layers have to be added again: at first, and after the graphics card was lost. */
type Drawn = { map: MapLibre; generation: number }
const Context = createContext<Drawn | null>(null)
export function useMap(): Drawn | null {
  return useContext(Context)
}

export type View = { center: [number, number]; zoom: number }
type Props = {
  /** What a screen reader is told this map shows. */
  label: string
  /** The map is fetched when this first holds (the default), and stays. */
  wanted?: boolean
  /** What stands in its place until it is drawn. */
  meanwhile?: ReactNode
  view?: View
  padding?: PaddingOptions
  onMoved?: (map: MapLibre) => void
  onClick?: (at: { lat: number; lng: number }) => void
  children?: ReactNode
  className?: string
}

export function LorryMap({
  label,
  wanted = true,
  meanwhile,
  view,
  padding,
  onMoved,
  onClick,
  children,
  className,
}: Props) {
  const box = useRef<HTMLDivElement>(null)
  const theme = useTheme()
  const [drawn, setDrawn] = useState<Drawn | null>(null)
  const { t } = useTranslation()
  const handlers = useRef({ onMoved, onClick })
  handlers.current = { onMoved, onClick }
  const first = useRef({ view, theme })
  const [asked, ask] = useState(wanted)
  if (wanted && !asked) ask(true)

  useEffect(() => {
    if (!asked) return
    let map: MapLibre | undefined
    let gone = false
    void (async () => {
      const [library, basemap] = await Promise.all([patiently(() => import('./library.ts')), loadBasemap()])
      if (gone || box.current === null) return
      const start = first.current
      map = new library.MapLibre({
        container: box.current,
        style: mapStyle(start.theme, basemap),
        ...(start.view ??
          (basemap ? { bounds: basemap.bounds } : { center: [11.97, 57.7] as [number, number], zoom: 11 })),
        attributionControl: { compact: false },
        dragRotate: false,
        pitchWithRotate: false,
        maxZoom: 19,
      })
      map.touchZoomRotate.disableRotation()
      map.keyboard.disableRotation()
      const made = map
      map.on('style.load', () => setDrawn((d) => ({ map: made, generation: (d?.generation ?? 0) + 1 })))
      map.on('moveend', () => handlers.current.onMoved?.(made))
      map.on('click', (event) => handlers.current.onClick?.({ lat: event.lngLat.lat, lng: event.lngLat.lng }))
    })()
    return () => {
      gone = true
      map?.remove()
      setDrawn(null)
    }
  }, [asked])

  useEffect(() => {
    if (drawn === null || theme === first.current.theme) return
    first.current.theme = theme
    void loadBasemap().then((basemap) => recolour(drawn.map, mapStyle(theme, basemap).layers))
  }, [drawn, theme])

  useEffect(() => {
    if (padding !== undefined) drawn?.map.easeTo({ padding, duration: 0 })
  }, [drawn, padding])

  return (
    <section className={`relative ${className ?? ''}`} aria-label={label}>
      <div className="absolute inset-0">
        <div ref={box} className="h-full w-full" />
      </div>
      {drawn === null && meanwhile}
      {drawn === null && <p className="sr-only">{t('map.loading')}</p>}
      <Context.Provider value={drawn}>{drawn !== null && children}</Context.Provider>
    </section>
  )
}
