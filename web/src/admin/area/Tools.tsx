/** The row of tools over the map: what begins, ends and takes back; import and export. */
import { useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { Button } from '@/ui/index.tsx'
import { save } from '../audit/csv.ts'
import { FILE_BYTES_MAX, geoJsonOf, type Ring, readGeoJson, type Shape } from './shape.ts'

export type Drawing = { kind: 'part' | 'hole'; ring: Ring }
type Props = {
  shape: Shape
  drawing: Drawing | null
  canHole: boolean
  canUndo: boolean
  canRedo: boolean
  canRemove: boolean
  onDraw: (kind: Drawing['kind']) => void
  onUndo: () => void
  onRedo: () => void
  onRemove: () => void
  onImport: (shape: Shape) => void
  onRefused: (words: string) => void
}
export function Tools({ shape, drawing, ...p }: Props) {
  const { t } = useTranslation()
  const file = useRef<HTMLInputElement>(null)
  async function read(chosen: File | undefined) {
    if (file.current) file.current.value = ''
    if (chosen === undefined) return
    if (chosen.size > FILE_BYTES_MAX) return p.onRefused(t('area.fileLarge'))
    let found: Shape | null = null
    try {
      found = readGeoJson(JSON.parse(await chosen.text()))
    } catch {
      // no JSON: said below, like what is no area
    }
    if (found === null || found.length === 0) p.onRefused(t('area.fileBad'))
    else p.onImport(found)
  }
  return (
    <div role="toolbar" aria-label={t('area.tools')} className="flex flex-wrap gap-2">
      <Button size="compact" aria-pressed={drawing?.kind === 'part'} onClick={() => p.onDraw('part')}>
        {t('area.drawPart')}
      </Button>
      <Button
        size="compact"
        aria-pressed={drawing?.kind === 'hole'}
        disabled={!p.canHole}
        onClick={() => p.onDraw('hole')}
      >
        {t('area.drawHole')}
      </Button>
      <Button size="compact" disabled={!p.canRemove} onClick={p.onRemove}>
        {t('area.removePart')}
      </Button>
      <Button size="compact" disabled={!p.canUndo} aria-keyshortcuts="Control+Z" onClick={p.onUndo}>
        {t('area.undo')}
      </Button>
      <Button size="compact" disabled={!p.canRedo} aria-keyshortcuts="Control+Shift+Z" onClick={p.onRedo}>
        {t('area.redo')}
      </Button>
      <Button size="compact" onClick={() => file.current?.click()}>
        {t('area.import')}
      </Button>
      <input
        ref={file}
        type="file"
        className="sr-only"
        tabIndex={-1}
        aria-label={t('area.import')}
        accept=".geojson,.json,application/geo+json,application/json"
        onChange={(event) => void read(event.target.files?.[0])}
      />
      <Button
        size="compact"
        disabled={shape.length === 0}
        onClick={() =>
          save('service-area.geojson', `${JSON.stringify(geoJsonOf(shape))}\n`, 'application/geo+json')
        }
      >
        {t('area.export')}
      </Button>
    </div>
  )
}

type DrawProps = {
  drawing: Drawing
  onMiddle: () => void
  onBack: () => void
  onFinish: () => void
  onCancel: () => void
}
/** While a ring is drawn: pressing the map is one way, its middle and this button another. */
export function DrawBar({ drawing, onMiddle, onBack, onFinish, onCancel }: DrawProps) {
  const { t } = useTranslation()
  return (
    <div className="flex flex-wrap items-center gap-2 rounded-control border border-going p-2">
      <p role="status" className="grow text-sm">
        {t('area.drawing', { n: drawing.ring.length })}
      </p>
      <Button size="compact" onClick={onMiddle}>
        {t('area.addMiddle')}
      </Button>
      <Button size="compact" disabled={drawing.ring.length === 0} onClick={onBack}>
        {t('area.lastAway')}
      </Button>
      <Button size="compact" kind="primary" disabled={drawing.ring.length < 3} onClick={onFinish}>
        {t('area.finish')}
      </Button>
      <Button size="compact" onClick={onCancel}>
        {t('set.cancel')}
      </Button>
    </div>
  )
}
