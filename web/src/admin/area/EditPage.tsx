/** The next service area: drawn from a version there is, weighed against it and last week's bookings, then saved. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { Map as MapLibre } from 'maplibre-gl'
import { type KeyboardEvent, type RefObject, useEffect, useMemo, useReducer, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { api, data, idempotencyKey } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { fitTo } from '@/map/layers.tsx'
import { LorryMap, useMap } from '@/map/Map.tsx'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { SaveFailure } from '@/ui/form.tsx'
import { Button, Failure, Skeleton } from '@/ui/index.tsx'
import { useLeaveWarning } from '@/ui/Leave.tsx'
import { toast } from '@/ui/toast.tsx'
import { Page } from '../Page.tsx'
import { type Fault, faultsOf, refusedFaults } from './faults.ts'
import { Hands } from './Hands.tsx'
import { begin, reduce } from './history.ts'
import { useArea } from './hooks.ts'
import { AreaLayers } from './Layers.tsx'
import { changeOf } from './measure.ts'
import { CoordinateList, Corner, nameOf, Parts } from './Parts.tsx'
import { Review, type Weighed } from './Review.tsx'
import {
  cornerOf,
  geoJsonOf,
  halfway,
  inserted,
  moved,
  type Position,
  position,
  ringOf,
  type Shape,
  type Spot,
  textOf,
  withoutCorner,
  withoutRing,
  withRing,
} from './shape.ts'
import { DrawBar, type Drawing, Tools } from './Tools.tsx'

export function EditPage() {
  const { t } = useTranslation()
  const from = Number(useSearchParams()[0].get('from')) || undefined
  const now = useArea()
  const base = useArea(from)
  const failed = now.error ?? base.error
  return (
    <Page
      title={t('area.change')}
      lead={t('area.changeMore')}
      acts={
        <Button kind="quiet" asChild>
          <Link to="/admin/area">{t('area.back')}</Link>
        </Button>
      }
    >
      {failed ? (
        <Failure error={failed} retry={() => void (now.error ? now.refetch() : base.refetch())} />
      ) : now.data === undefined || base.data === undefined ? (
        <Skeleton className="h-80" />
      ) : (
        <Editor
          start={base.data.shape}
          same={from === undefined || from === now.data.version}
          before={now.data.shape}
          newest={now.data.newest}
          refresh={() => now.refetch()}
        />
      )}
    </Page>
  )
}

/** What the keys of the page do wherever one types nothing. */
function useUndoKeys(undo: () => void, redo: () => void) {
  return (event: KeyboardEvent) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return
    if ((event.target as HTMLElement).matches('input, textarea')) return
    const key = event.key.toLowerCase()
    if (key === 'z' && !event.shiftKey) undo()
    else if (key === 'y' || key === 'z') redo()
    else return
    event.preventDefault()
  }
}

function useWeighing() {
  return useMutation({
    mutationFn: async ({ before, shape }: { before: Shape; shape: Shape }): Promise<Weighed> => {
      const bordered = before.length > 0 && shape.length > 0
      const [preview, change] = await Promise.all([
        data(api.POST('/v1/service-area/preview', { body: { area: geoJsonOf(shape) } })),
        bordered ? changeOf(before, shape) : null,
      ])
      return { shape, preview, change }
    },
  })
}

type EditorProps = {
  start: Shape
  /** START is the area that counts now. */
  same: boolean
  before: Shape
  newest: string
  refresh: () => Promise<unknown>
}
function Editor({ start, same, before, newest, refresh }: EditorProps) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const client = useQueryClient()
  const map = useRef<MapLibre | null>(null)
  const [state, act] = useReducer(reduce, start, begin)
  const { shape, spot } = state
  const [drawing, setDrawing] = useState<Drawing | null>(null)
  const [placing, setPlacing] = useState(false)
  const [said, setSaid] = useState<string | null>(null)
  const [refused, setRefused] = useState<{ shape: Shape; faults: Fault[] } | null>(null)
  const [rest, setRest] = useState<unknown>(null)
  const weighing = useWeighing()
  const [weighed, setWeighed] = useState<Weighed | null>(null)
  const faults = useMemo(
    () => [...faultsOf(shape), ...(refused?.shape === shape ? refused.faults : [])],
    [shape, refused],
  )
  const dirty = shape !== start || !same || drawing !== null
  const leave = useLeaveWarning(dirty)
  const [key] = useState(idempotencyKey)

  const put = (next: Shape, at?: Spot | null, step?: string) =>
    act({ type: 'put', shape: next, ...(at !== undefined && { spot: at }), ...(step && { key: step }) })
  const undo = () => act({ type: 'undo' })
  const redo = () => act({ type: 'redo' })
  const select = (next: Spot | null) => {
    setPlacing(false)
    act({ type: 'select', spot: next })
  }
  const insert = (at: Spot, where: Position, step?: string) =>
    put(inserted(shape, at, where), { ...at, corner: (at.corner as number) + 1 }, step)
  const remove = (at: Spot) => put(withoutCorner(shape, at))
  function place(at: Position) {
    if (drawing) setDrawing({ ...drawing, ring: [...drawing.ring, at] })
    else if (placing && spot) {
      put(moved(shape, spot, at))
      setPlacing(false)
    }
  }
  function finish() {
    if (drawing === null || drawing.ring.length < 3) return
    const hole = drawing.kind === 'hole' && spot !== null
    const next = hole
      ? shape.map((p, i) => (i === spot.polygon ? [...p, drawing.ring] : p))
      : [...shape, [drawing.ring]]
    const at = hole
      ? { polygon: spot.polygon, ring: (shape[spot.polygon]?.length ?? 1) as number, corner: 0 }
      : { polygon: shape.length, ring: 0, corner: 0 }
    put(next, at)
    setDrawing(null)
  }
  const middle = () => {
    const center = map.current?.getCenter()
    return center ? position(center.lng, center.lat) : null
  }
  const refuse = (refusal: unknown) => {
    const fields = refusal instanceof Problem ? refusal.fields : []
    if (fields.length > 0) setRefused({ shape, faults: refusedFaults(fields) })
    else setRest(refusal)
  }
  async function weigh() {
    setRest(null)
    setWeighed(null)
    try {
      setWeighed(await weighing.mutateAsync({ before, shape }))
    } catch (refusal) {
      refuse(refusal)
    }
  }
  async function publish() {
    const header = { 'If-Match': newest, 'Idempotency-Key': `${key}/${newest.replaceAll('"', '')}` }
    try {
      const written = await data(
        api.PUT('/v1/service-area', { params: { header }, body: { area: geoJsonOf(shape) } }),
      )
      leave.done()
      toast(t('area.saved', { number: written.version }))
      await client.invalidateQueries({ queryKey: ['area'] })
      navigate('/admin/area')
    } catch (refusal) {
      refuse(refusal)
    }
  }
  // What was weighed is only good for what was drawn, against what was there.
  const good = weighed !== null && weighed.shape === shape && drawing === null && faults.length === 0
  const chosen = ringOf(shape, spot)
  const corner = cornerOf(shape, spot)
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the whole editor
    <div className="grid grid-cols-1 gap-4" onKeyDown={useUndoKeys(undo, redo)}>
      {leave.warning}
      <Tools
        shape={shape}
        drawing={drawing}
        canHole={spot !== null}
        canUndo={state.past.length > 0}
        canRedo={state.future.length > 0}
        canRemove={spot !== null}
        onDraw={(kind) => {
          setPlacing(false)
          setDrawing({ kind, ring: [] })
        }}
        onUndo={undo}
        onRedo={redo}
        onRemove={() => spot && put(withoutRing(shape, spot))}
        onImport={(found) => {
          setSaid(null)
          put(found, { polygon: 0, ring: 0, corner: null })
          if (map.current) fitTo(map.current, found.flat(2))
        }}
        onRefused={setSaid}
      />
      {said && (
        <p role="alert" className="text-bad">
          {said}
        </p>
      )}
      {drawing && (
        <DrawBar
          drawing={drawing}
          onMiddle={() => {
            const at = middle()
            if (at) place(at)
          }}
          onBack={() => setDrawing({ ...drawing, ring: drawing.ring.slice(0, -1) })}
          onFinish={finish}
          onCancel={() => setDrawing(null)}
        />
      )}
      {placing && (
        <p role="status" className="rounded-control border border-going p-2 text-sm">
          {t('area.placing')}
        </p>
      )}
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <LorryMap
          label={t('area.map')}
          className="h-[60dvh] min-h-72 overflow-hidden rounded-panel border border-line"
        >
          <Reach to={map} fit={start} />
          <AreaLayers
            before={before}
            shape={shape}
            spot={spot}
            drawing={drawing?.ring ?? null}
            faults={faults}
          />
          <Hands
            shape={shape}
            spot={spot}
            placing={placing || drawing !== null}
            onPlace={place}
            onSelect={select}
            onMove={(at, to, step) => put(moved(shape, at, to), at, step)}
            onInsert={insert}
            onRemove={remove}
          />
          {drawing && <Cross />}
        </LorryMap>
        <div className="grid min-w-0 grid-cols-1 content-start gap-4">
          <Parts
            shape={shape}
            spot={spot}
            faults={faults}
            onSelect={(at) => {
              select({ ...at, corner: 0 })
              if (map.current) fitTo(map.current, ringOf(shape, at) ?? [])
            }}
            onShow={(at) => map.current?.easeTo({ center: at, duration: 0 })}
          />
          {spot && corner && (
            <Corner
              key={`${spot.polygon}/${spot.ring}/${spot.corner}/${corner}`}
              shape={shape}
              spot={spot as Spot & { corner: number }}
              placing={placing}
              onMove={(to) => put(moved(shape, spot, to))}
              onChoose={(n) => select({ ...spot, corner: n })}
              onInsert={() => {
                const at = halfway(shape, spot)
                if (at) insert(spot, at)
              }}
              onRemove={() => remove(spot)}
              onPlacing={() => setPlacing(!placing)}
            />
          )}
          {spot && chosen && (
            <CoordinateList
              key={`${spot.polygon}/${spot.ring}/${textOf(chosen)}`}
              ring={chosen}
              name={nameOf(t, spot)}
              onRing={(ring) => put(withRing(shape, spot, ring))}
            />
          )}
        </div>
      </div>
      <p className="text-sm text-quiet">{t('area.keys')}</p>
      {faults.some((f) => f.polygon === null) && (
        <ul role="alert" className="grid gap-1 text-bad">
          {faults
            .filter((f) => f.polygon === null)
            .map((f) => (
              <li key={f.key}>{f.said ? <bdi>{f.said}</bdi> : t(`area.fault.${f.key}`)}</li>
            ))}
        </ul>
      )}
      <SaveFailure
        error={rest}
        onRefresh={() => {
          setRest(null)
          setWeighed(null)
          void refresh()
        }}
      />
      <div className="flex flex-wrap items-center gap-3">
        <Button
          kind={good ? 'plain' : 'primary'}
          busy={weighing.isPending}
          disabled={faults.length > 0 || drawing !== null}
          onClick={() => void weigh()}
        >
          {t('area.weigh')}
        </Button>
        <p role="status" className="text-sm text-bad">
          {faults.length > 0 && t('area.faults', { number: faults.length })}
        </p>
      </div>
      {good && (
        <section aria-label={t('area.weighed')} className="grid grid-cols-1 justify-items-start gap-4">
          <h2 className="text-lg font-semibold">{t('area.weighed')}</h2>
          <Review before={before} weighed={weighed} />
          <ConfirmButton
            kind="primary"
            label={t('area.save')}
            title={t('area.saveTitle')}
            text={t(shape.length === 0 ? 'area.saveAny' : 'area.saveText')}
            action={t('area.save')}
            onConfirm={publish}
          />
        </section>
      )}
    </div>
  )
}

/** Hands the map out to what stands around it, and shows the whole area at first. */
function Reach({ to, fit }: { to: RefObject<MapLibre | null>; fit: Shape }) {
  const map = useMap()?.map
  useEffect(() => {
    to.current = map ?? null
    const points = fit.flat(2)
    if (map !== undefined && points.length > 0) fitTo(map, points)
    return () => {
      to.current = null
    }
  }, [map, to, fit])
  return null
}

/** Where a corner would come that is added in the middle. */
function Cross() {
  return (
    <div
      aria-hidden
      className="pointer-events-none absolute inset-0 grid place-items-center text-xl text-going"
    >
      +
    </div>
  )
}
