/** The map, said as a list: each polygon and hole with what is wrong with it, and the chosen one as coordinates. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { number } from '@/i18n/format.ts'
import { AreaField } from '@/ui/form.tsx'
import { Button, cx, Field } from '@/ui/index.tsx'
import type { Fault } from './faults.ts'
import {
  type Position,
  position,
  type Ring,
  ringOf,
  ringOfText,
  type Shape,
  type Spot,
  textOf,
} from './shape.ts'

type Translate = ReturnType<typeof useTranslation>['t']
export const nameOf = (t: Translate, { polygon, ring }: { polygon: number; ring: number }) =>
  ring === 0 ? t('area.part', { n: polygon + 1 }) : t('area.hole', { n: ring, of: polygon + 1 })

type PartsProps = {
  shape: Shape
  spot: Spot | null
  faults: Fault[]
  onSelect: (spot: Spot) => void
  onShow: (at: Position) => void
}
export function Parts({ shape, spot, faults, onSelect, onShow }: PartsProps) {
  const { t } = useTranslation()
  if (shape.length === 0) return <p className="text-quiet">{t('area.anyPlace')}</p>
  return (
    <ul className="grid max-h-80 grid-cols-1 gap-1 overflow-y-auto" aria-label={t('area.parts')}>
      {shape.flatMap((rings, polygon) =>
        rings.map((corners, ring) => {
          const chosen = spot?.polygon === polygon && spot.ring === ring
          const own = faults.filter((f) => f.polygon === polygon && f.ring === ring)
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a part is known by its place
            <li key={`${polygon}/${ring}`}>
              <button
                type="button"
                aria-pressed={chosen}
                className={cx(
                  'flex min-h-touch w-full flex-wrap items-center gap-x-2 rounded-control border px-3 text-start',
                  ring > 0 && 'ps-8',
                  chosen ? 'border-accent bg-raised font-medium' : 'border-line',
                )}
                onClick={() => onSelect({ polygon, ring, corner: null })}
              >
                <span>{nameOf(t, { polygon, ring })}</span>
                <span className="figures text-sm text-quiet">
                  {t('area.corners', { number: number(corners.length) })}
                </span>
              </button>
              {own.map((fault) => (
                <p
                  key={fault.key + (fault.said ?? '')}
                  className="flex flex-wrap items-center gap-2 text-sm text-bad"
                >
                  <span>⚠ {fault.said ? <bdi>{fault.said}</bdi> : t(`area.fault.${fault.key}`)}</span>
                  {fault.at && (
                    <Button kind="quiet" size="compact" onClick={() => onShow(fault.at as Position)}>
                      {t('area.show')}
                    </Button>
                  )}
                </p>
              ))}
            </li>
          )
        }),
      )}
    </ul>
  )
}

type ListProps = { ring: Ring; name: string; onRing: (ring: Ring) => void }
/** The whole ring at once, as a list of coordinates. */
export function CoordinateList({ ring, name, onRing }: ListProps) {
  const { t } = useTranslation()
  const [text, setText] = useState(() => textOf(ring))
  const [bad, setBad] = useState<string>()
  function apply() {
    const read = ringOfText(text)
    if (typeof read === 'number') setBad(t('area.badLine', { n: read }))
    else onRing(read)
  }
  return (
    <div className="grid grid-cols-1 justify-items-start gap-2">
      <AreaField
        label={t('area.listOf', { name })}
        hint={t('area.listHint')}
        error={bad}
        rows={6}
        dir="ltr"
        spellCheck={false}
        className="w-full"
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setBad(undefined)
        }}
      />
      <Button onClick={apply}>{t('area.useList')}</Button>
    </div>
  )
}

type CornerProps = {
  shape: Shape
  spot: Spot & { corner: number }
  placing: boolean
  onMove: (to: Position) => void
  onChoose: (corner: number) => void
  onInsert: () => void
  onRemove: () => void
  onPlacing: () => void
}
/** One corner by numbers and buttons: all that a drag does, without one. */
export function Corner({ shape, spot, placing, ...acts }: CornerProps) {
  const { t } = useTranslation()
  const ring = ringOf(shape, spot) ?? []
  const at = ring[spot.corner] as Position
  const [lat, setLat] = useState(String(at[1]))
  const [lng, setLng] = useState(String(at[0]))
  const wrong = (text: string, most: number) =>
    text.trim() === '' || !(Math.abs(Number(text)) <= most) ? t('area.badNumber') : undefined
  const bad = { lat: wrong(lat, 90), lng: wrong(lng, 180) }
  const choose = (by: number) => acts.onChoose((spot.corner + by + ring.length) % ring.length)
  return (
    <fieldset className="grid min-w-0 grid-cols-1 gap-2">
      <legend className="text-sm font-medium">
        {t('area.cornerOf', { n: spot.corner + 1, of: ring.length })}
      </legend>
      <form
        className="grid grid-cols-2 items-start gap-2"
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          if (!bad.lat && !bad.lng) acts.onMove(position(Number(lng), Number(lat)))
        }}
      >
        <Field
          label={t('area.lat')}
          inputMode="decimal"
          dir="ltr"
          value={lat}
          error={bad.lat}
          onChange={(event) => setLat(event.target.value)}
        />
        <Field
          label={t('area.lng')}
          inputMode="decimal"
          dir="ltr"
          value={lng}
          error={bad.lng}
          onChange={(event) => setLng(event.target.value)}
        />
        <Button type="submit" className="col-span-2">
          {t('area.moveThere')}
        </Button>
      </form>
      <div className="flex flex-wrap gap-2">
        <Button size="compact" onClick={() => choose(-1)}>
          {t('area.previous')}
        </Button>
        <Button size="compact" onClick={() => choose(1)}>
          {t('area.next')}
        </Button>
        <Button size="compact" aria-pressed={placing} onClick={acts.onPlacing}>
          {t('area.movePress')}
        </Button>
        <Button size="compact" onClick={acts.onInsert}>
          {t('area.insert')}
        </Button>
        <Button size="compact" kind="danger" onClick={acts.onRemove}>
          {t('area.removeCorner')}
        </Button>
      </div>
    </fieldset>
  )
}
