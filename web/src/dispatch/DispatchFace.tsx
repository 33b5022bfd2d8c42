/** The console: jobs, map, detail. What is chosen is in the address, so that it can be sent to a colleague. */
import { Dialog } from 'radix-ui'
import { type CSSProperties, Suspense, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate, useSearchParams } from 'react-router'
import { useNow, useUser } from '@/app/hooks.ts'
import { part } from '@/app/part.ts'
import { chooseTheme } from '@/app/theme.ts'
import { number } from '@/i18n/format.ts'
import { loadWords } from '@/i18n/parts.ts'
import { StopMarks } from '@/map/layers.tsx'
import { LorryMap, useMap } from '@/map/Map.tsx'
import { Button, sayProblem } from '@/ui/index.tsx'
import { Toaster, toast } from '@/ui/toast.tsx'
import { AlertList, AlertNews, isOpen, useAlerts } from './AlertList.tsx'
import { BulkBar } from './BulkBar.tsx'
import { DropOnVehicle } from './drag.tsx'
import { FleetLayer } from './FleetLayer.tsx'
import { type Fleet, useFleet } from './fleet.ts'
import { give, isConflict, refresh } from './hands.ts'
import { JobDetail } from './JobDetail.tsx'
import { JobList } from './JobList.tsx'
import { isEnded, useJobs } from './jobs.ts'
import { shortcutOf } from './keys.ts'
import { MapTools } from './MapTools.tsx'
import { matches, needOf, ordered } from './order.ts'
import type { Command } from './Palette.tsx'
import { PlaybackLine, PlaybackPanel, type Span, usePlayback } from './Playback.tsx'
import { Splitter, usePaneWidth } from './Splitter.tsx'
import { all, between, nothing, pressed, still, toggled } from './select.ts'
import { Trails, trailChoices } from './Trails.tsx'
import { VehicleDetail } from './VehicleDetail.tsx'
import { VehicleList } from './VehicleList.tsx'

const Palette = part(() => import('./Palette.tsx'))

const TYPING_MS = 300
const ORDER_MS = 5_000 // the order and what it says change with time, but need not each second
const views = ['all', 'attention', 'unassigned'] as const

export async function loader() {
  await loadWords('console', 'hands', 'arrive')
  return null
}

export function Component() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const user = useUser()
  const [query, setQuery] = useSearchParams()
  const jobs = useJobs()
  const fleet = useFleet()
  const now = useNow(ORDER_MS)
  const [follows, setFollows] = useState(false)
  const [help, setHelp] = useState(false)
  const [picked, setSelection] = useState(nothing)
  const [palette, setPalette] = useState(false)
  const search = useRef<HTMLInputElement>(null)
  const chosen = query.get('job')
  const vehicleId = query.get('vehicle')
  const [text, setText] = useState(query.get('q') ?? '')
  const view = views.find((v) => v === query.get('view')) ?? 'all'
  const listed = (['vehicles', 'alerts'] as const).find((l) => l === query.get('list')) ?? 'jobs'
  const alerts = useAlerts()
  const openAlerts = alerts.data?.filter(isOpen).length ?? 0
  const trails = trailChoices.find((c) => c === query.get('trails')) ?? 'chosen'
  const replays = vehicleId !== null && query.get('replay') !== null
  const span = ([1, 4, 24] as const).find((h) => String(h) === query.get('replay')) ?? 1
  const playback = usePlayback(replays ? vehicleId : null, span)
  const [moment, setMoment] = useState(0)
  const left = usePaneWidth('jobs', 320, 240, 560)
  const right = usePaneWidth('detail', 352, 288, 560)

  function set(change: Record<string, string | null>) {
    setQuery(
      (before) => {
        const next = new URLSearchParams(before)
        for (const [key, value] of Object.entries(change)) value ? next.set(key, value) : next.delete(key)
        return next
      },
      { replace: 'q' in change },
    )
  }
  const list = useMemo(() => {
    const wanted = [...jobs.bookings.values()].filter((b) => {
      const need = needOf(b, now)
      if (view === 'unassigned' && need !== 'unassigned' && need !== 'unassigned-late') return false
      if (view === 'attention' && need !== 'late' && need !== 'unassigned-late') return false
      return matches(b, text)
    })
    return ordered(wanted, now)
  }, [jobs, view, text, now])
  const attention = useMemo(
    () =>
      [...jobs.bookings.values()].filter((b) => ['late', 'unassigned-late'].includes(needOf(b, now))).length,
    [jobs, now],
  )

  // The address follows what is typed, a moment later.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only typing moves it
  useEffect(() => {
    if (text === (query.get('q') ?? '')) return
    const timer = setTimeout(() => set({ q: text || null }), TYPING_MS)
    return () => clearTimeout(timer)
  }, [text])

  useShortcuts({
    'Ctrl+k': () => setPalette(true),
    '/': () => search.current?.focus(),
    '?': () => setHelp(true),
    j: () => step(1),
    k: () => step(-1),
    x: () => chosen !== null && setSelection(toggled(selection, chosen)),
    'Ctrl+a': () => setSelection(all(list.map((b) => b.id))),
    // biome-ignore lint/correctness/noComponentHookFactories: the name of a key
    Escape: () => {
      setSelection(nothing)
      set({ job: null, vehicle: null })
    },
  })
  const ids = list.map((b) => b.id)
  const selection = still(picked, ids)

  /** A drop, or the menu: at once, if nobody has it; else its detail asks why. */
  async function dropped(jobId: string, driverId: string) {
    const job = jobs.bookings.get(jobId)
    if (job === undefined) return
    if (job.driver !== null) {
      set({ job: jobId, vehicle: null })
      toast(t('hands.needsReason'))
      return
    }
    try {
      const changed = await give(job, driverId)
      const name = changed.driver?.name ?? fleet?.vehicles.get(driverId)?.name ?? driverId
      toast(t(changed.driver ? 'hands.given' : 'hands.asked', { name }))
    } catch (error) {
      if (isConflict(error)) void refresh(jobId)
      toast(`${job.code}: ${sayProblem(t, error)}`)
    }
  }
  function step(by: number) {
    const at = list.findIndex((b) => b.id === chosen)
    const next = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))]
    if (next) set({ job: next.id, vehicle: null })
  }
  const booking = chosen === null ? undefined : jobs.bookings.get(chosen)
  const counted = (what: 'jobsCount' | 'vehiclesCount' | 'busyCount', count: number) =>
    t(`dispatch.${what}`, { count, n: number(count) })

  const choose = {
    job: (id: string) => set({ job: id, vehicle: null, replay: null }),
    vehicle: (id: string) => set({ vehicle: id, job: null, replay: null }),
  }
  const commands: Command[] = [
    ...views.map((v) => ({
      id: v,
      label: t(`console.palette.show.${v}`),
      run: () => set({ view: v === 'all' ? null : v, list: null }),
    })),
    { id: 'vehicles', label: t('console.palette.show.vehicles'), run: () => set({ list: 'vehicles' }) },
    { id: 'alerts', label: t('console.palette.show.alerts'), run: () => set({ list: 'alerts' }) },
    ...trailChoices.map((c) => ({
      id: `trails-${c}`,
      label: `${t('console.trails')}: ${t(`console.trailsOf.${c}`)}`,
      run: () => set({ trails: c }),
    })),
    ...(['light', 'dark', 'system'] as const).map((name) => ({
      id: name,
      label: t(`console.palette.theme.${name}`),
      run: () => chooseTheme(name),
    })),
    { id: 'keys', label: t('keys.title'), run: () => setHelp(true) },
    ...(user === null ? [] : [{ id: 'admin', label: t('nav.admin'), run: () => navigate('/admin') }]),
  ]

  return (
    <div
      className="grid h-full grid-rows-[auto_1fr_auto] md:grid-cols-[var(--jobs)_auto_1fr_auto_auto] md:grid-rows-1"
      style={{ '--jobs': `${left.width}px`, '--detail': `${right.width}px` } as CSSProperties}
    >
      <h1 className="sr-only">{t('nav.dispatch')}</h1>
      <div className="flex min-h-0 flex-col border-e border-line bg-panel max-md:max-h-64">
        <div className="grid gap-2 border-b border-line p-2">
          <input
            ref={search}
            type="search"
            className="min-h-compact rounded-control border border-line bg-panel px-2 text-sm"
            placeholder={t('dispatch.search')}
            aria-label={t('dispatch.search')}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <fieldset className="flex flex-wrap gap-1">
            <legend className="sr-only">{t('history.filter')}</legend>
            {views.map((v) => (
              <Button
                key={v}
                size="compact"
                aria-pressed={listed === 'jobs' && v === view}
                onClick={() => set({ view: v === 'all' ? null : v, list: null })}
              >
                {t(`dispatch.view.${v}`)}
                {v === 'attention' && attention > 0 && (
                  <span className="figures text-bad">{number(attention)}</span>
                )}
              </Button>
            ))}
            {(['alerts', 'vehicles'] as const).map((l) => (
              <Button key={l} size="compact" aria-pressed={l === listed} onClick={() => set({ list: l })}>
                {t(`console.${l}`)}
                {l === 'alerts' && openAlerts > 0 && (
                  <span className="figures text-bad">{number(openAlerts)}</span>
                )}
              </Button>
            ))}
          </fieldset>
          <p className="figures text-sm text-quiet">
            {t('dispatch.counts', {
              jobs: counted('jobsCount', [...jobs.bookings.values()].filter((b) => !isEnded(b)).length),
              vehicles: counted('vehiclesCount', (fleet?.counts.on ?? 0) + (fleet?.counts.busy ?? 0)),
              busy: counted('busyCount', fleet?.counts.busy ?? 0),
            })}
          </p>
        </div>
        <p role="status" className="sr-only">
          {attention > 0 && t('dispatch.attention', { count: attention })}
        </p>
        <BulkBar chosen={list.filter((b) => selection.ids.has(b.id))} onClear={() => setSelection(nothing)} />
        <AlertNews alerts={alerts.data} />
        {listed === 'alerts' ? (
          <AlertList alerts={alerts} jobs={jobs} chosen={chosen} onJob={choose.job} />
        ) : listed === 'vehicles' ? (
          <VehicleList
            fleet={fleet}
            text={text}
            chosen={vehicleId}
            onChoose={choose.vehicle}
            onDropped={dropped}
          />
        ) : (
          <JobList
            jobs={jobs}
            list={list}
            chosen={chosen}
            now={now}
            filtered={text !== '' || view !== 'all'}
            selected={selection.ids}
            onPress={(id, keys) => {
              setSelection(pressed(selection, ids, id, keys))
              if (!keys.ctrlKey && !keys.metaKey && !keys.shiftKey) choose.job(id)
            }}
            onToggle={(id) => setSelection(toggled(selection, id))}
            onPaint={(from, to) => setSelection({ ids: between(ids, from, to), anchor: from })}
            onOpen={choose.job}
            onDropped={dropped}
            onClear={() => {
              setText('')
              set({ view: null })
            }}
          />
        )}
      </div>
      <Splitter label={t('console.widthOf', { pane: t('dispatch.jobs') })} pane={left} side="before" />
      <LorryMap label={t('dispatch.map')} className="min-h-40">
        {fleet && (
          <FleetLayer
            fleet={fleet}
            chosen={vehicleId ?? booking?.driver?.id ?? null}
            onChoose={choose.vehicle}
          />
        )}
        {fleet && <DropOnVehicle fleet={fleet} onDropped={dropped} />}
        <Trails fleet={fleet} choice={trails} chosen={vehicleId ?? booking?.driver?.id ?? null} />
        {replays && playback.data && <PlaybackLine positions={playback.data.positions} index={moment} />}
        <MapTools
          trails={trails}
          onTrails={(c) => set({ trails: c === 'chosen' ? null : c })}
          stops={() =>
            [...jobs.bookings.values()].flatMap((b) => b.stops.map((s) => [s.lng, s.lat] as [number, number]))
          }
        />
        <StopMarks
          stops={(booking?.stops ?? []).map((s) => ({
            lng: s.lng,
            lat: s.lat,
            label: String(s.index + 1),
            done: s.state === 'done',
          }))}
        />
        {fleet && vehicleId !== null && <GoToVehicle key={vehicleId} fleet={fleet} id={vehicleId} />}
        <GoTo key={chosen} at={booking?.stops[0] ? [booking.stops[0].lng, booking.stops[0].lat] : null} />
        {fleet && vehicleId && follows && (
          <Follow fleet={fleet} id={vehicleId} onStop={() => setFollows(false)} />
        )}
      </LorryMap>
      {(chosen !== null || vehicleId !== null) && (
        <Splitter label={t('console.widthOf', { pane: t('dispatch.detail') })} pane={right} side="after" />
      )}
      {(chosen !== null || vehicleId !== null) && (
        <aside className="flex min-h-0 flex-col overflow-auto border-s border-line bg-panel md:w-(--detail)">
          {chosen !== null ? (
            <JobDetail
              id={chosen}
              known={booking}
              now={now}
              onClose={() => set({ job: null })}
              onDropped={dropped}
            />
          ) : (
            <VehicleDetail
              vehicle={fleet?.vehicles.get(vehicleId ?? '')}
              now={now}
              following={follows}
              onFollow={() => setFollows(!follows)}
              onJob={choose.job}
              replays={replays}
              onReplay={() => {
                set({ replay: replays ? null : '1' })
                setMoment(0)
              }}
              onClose={() => set({ vehicle: null, replay: null })}
            >
              {replays && (
                <PlaybackPanel
                  query={playback}
                  span={span}
                  index={moment}
                  onSpan={(hours: Span) => {
                    set({ replay: String(hours) })
                    setMoment(0)
                  }}
                  onIndex={setMoment}
                />
              )}
            </VehicleDetail>
          )}
        </aside>
      )}
      <Toaster />
      <Shortcuts open={help} onOpenChange={setHelp} />
      {palette && (
        <Suspense>
          <Palette
            commands={commands}
            bookings={jobs.bookings.values()}
            fleet={fleet}
            onJob={choose.job}
            onVehicle={choose.vehicle}
            onClose={() => setPalette(false)}
          />
        </Suspense>
      )}
    </div>
  )
}

/** Keys that work wherever no text is being written; those with Ctrl (or Command) everywhere. */
function useShortcuts(keys: Record<string, () => void>): void {
  const now = useRef(keys)
  now.current = keys
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const writes =
        event.target instanceof HTMLElement &&
        event.target.closest('input, textarea, select, [role=dialog], [role=alertdialog]')
      const held = event.ctrlKey || event.metaKey
      const name = `${held ? 'Ctrl+' : ''}${shortcutOf(event)}`
      const act = now.current[name]
      // Where text is written Ctrl+A is the text's.
      if (event.altKey || act === undefined || (writes && name !== 'Ctrl+k')) return
      event.preventDefault()
      act()
    }
    window.addEventListener('keydown', press)
    return () => window.removeEventListener('keydown', press)
  }, [])
}

function Shortcuts({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const { t } = useTranslation()
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Dialog.Content
          className="fixed inset-x-4 top-1/4 z-50 mx-auto grid max-w-sm gap-3 rounded-panel border border-line bg-panel p-4"
          aria-describedby={undefined}
        >
          <Dialog.Title className="text-lg font-semibold">{t('keys.title')}</Dialog.Title>
          <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
            {(['Ctrl+K', '/', 'j', 'k', 'x', 'Ctrl+A', 'Esc', '?'] as const).map((key) => (
              <div key={key} className="contents">
                <dt>
                  <kbd className="rounded-control border border-line px-2">{key}</kbd>
                </dt>
                <dd>{t(`keys.${key}`)}</dd>
              </div>
            ))}
          </dl>
          <Dialog.Close asChild>
            <Button className="justify-self-end">{t('dispatch.close')}</Button>
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

/** Brings a vehicle into view once, when it is chosen: as soon as it is known where it is. */
function GoToVehicle({ fleet, id }: { fleet: Fleet; id: string }) {
  const drawn = useMap()
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new style is no new choice
  useEffect(() => {
    if (drawn === null) return
    const look = () => {
      const v = fleet.vehicles.get(id)
      if (v === undefined) return
      clearInterval(timer)
      if (!drawn.map.getBounds().contains([v.lng, v.lat]) || drawn.map.getZoom() < 12)
        drawn.map.easeTo({
          center: [v.lng, v.lat],
          zoom: Math.max(14, drawn.map.getZoom()),
          duration: 200,
        })
    }
    const timer = setInterval(look, 200)
    look()
    return () => clearInterval(timer)
  }, [drawn?.map, fleet, id])
  return null
}

/** Brings a place into view once. */
function GoTo({ at }: { at: [number, number] | null }) {
  const drawn = useMap()
  const key = at?.join()
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the place
  useEffect(() => {
    if (drawn !== null && at !== null) drawn.map.easeTo({ center: at, duration: 200 })
  }, [key, drawn?.map])
  return null
}

/** Keeps a vehicle in the middle until the person moves the map. */
function Follow({ fleet, id, onStop }: { fleet: Fleet; id: string; onStop: () => void }) {
  const drawn = useMap()
  const stop = useRef(onStop)
  stop.current = onStop
  useEffect(() => {
    if (drawn === null) return
    const { map } = drawn
    const dragged = () => stop.current()
    map.on('dragstart', dragged)
    const timer = setInterval(() => {
      const v = fleet.vehicles.get(id)
      if (v) map.easeTo({ center: [v.lng, v.lat], duration: 900 })
    }, 1000)
    return () => {
      map.off('dragstart', dragged)
      clearInterval(timer)
    }
  }, [drawn, fleet, id])
  return null
}
