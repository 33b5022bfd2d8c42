/** When and where a driver works: weekly shifts and a home zone, which are written down as a whole. Where the office sets the
 * shifts they are only shown to him. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { SaveFailure } from '@/ui/form.tsx'
import { Button, Failure, Skeleton } from '@/ui/index.tsx'
import { HomeFields } from './HomeFields.tsx'
import { draftOf, homeOf } from './home.ts'

const key = ['driver', 'schedule']
export const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
type Shift = Schemas['Shift']

export function Shifts() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const schedule = useQuery({ queryKey: key, queryFn: () => data(api.GET('/v1/driver/schedule')) })
  return (
    <section className="grid gap-3" aria-labelledby="shifts">
      <h2 id="shifts" className="text-md font-semibold">
        {t('papers.shifts')}
      </h2>
      {schedule.isPending && <Skeleton className="h-24" />}
      {schedule.error && (
        <Failure size="drive" error={schedule.error} retry={() => void schedule.refetch()} />
      )}
      {schedule.data && (
        <p className="text-quiet">
          {t('papers.zone', { zone: schedule.data.timezone })}{' '}
          {schedule.data.required && t('papers.shiftsRequired')}
        </p>
      )}
      {schedule.data?.required && <ShiftList shifts={schedule.data.shifts} />}
      {schedule.data && (
        <ScheduleForm
          key={schedule.data.version}
          schedule={schedule.data}
          size="drive"
          onlyHome={schedule.data.required}
          save={(body) => data(api.PUT('/v1/driver/schedule', { body }))}
          onSaved={(changed) => client.setQueryData(key, changed)}
        />
      )}
    </section>
  )
}

function ShiftList({ shifts }: { shifts: Shift[] }) {
  const { t } = useTranslation()
  if (shifts.length === 0) return <p className="text-quiet">{t('papers.noShifts')}</p>
  return (
    <ul className="grid gap-1">
      {shifts.map((s) => (
        <li key={`${s.day}${s.from}`}>
          {t(`papers.day.${s.day}`)}{' '}
          <bdi dir="ltr" className="figures">
            {s.from}–{s.to}
          </bdi>
        </li>
      ))}
    </ul>
  )
}

type Row = Shift & { id: number }
type Props = {
  schedule: Schemas['Schedule']
  size: 'drive' | 'touch'
  /** The shifts are set by somebody else. */
  onlyHome?: boolean
  save: (body: Schemas['ScheduleInput']) => Promise<Schemas['Schedule']>
  onSaved: (now: Schemas['Schedule']) => void
  onRefresh?: () => void
}
export function ScheduleForm({ schedule, size, onlyHome = false, onSaved, onRefresh, ...props }: Props) {
  const { t } = useTranslation()
  const [rows, setRows] = useState<Row[]>(schedule.shifts.map((s, id) => ({ ...s, id })))
  const [home, setHome] = useState(() => draftOf(schedule.home))
  const zone = homeOf(home)
  const save = useMutation({
    mutationFn: () =>
      props.save({
        shifts: rows.map(({ day, from, to }) => ({ day, from, to })),
        ...(zone && { home: zone }),
      }),
    onSuccess: onSaved,
  })
  const change = (id: number, part: Partial<Shift>) =>
    setRows(rows.map((r) => (r.id === id ? { ...r, ...part } : r)))
  function add() {
    const last = rows.at(-1)
    const day = days[(last ? days.indexOf(last.day) + 1 : 0) % 7] ?? 'mon'
    const id = Math.max(-1, ...rows.map((r) => r.id)) + 1
    setRows([...rows, { id, day, from: last?.from ?? '08:00', to: last?.to ?? '17:00' }])
  }
  function submit(event: FormEvent) {
    event.preventDefault()
    if (zone !== undefined) save.mutate()
  }
  const wrong = (i: number) =>
    save.error instanceof Problem &&
    save.error.fields.find((f) => f.pointer.startsWith(`/shifts/${i}`))?.detail
  const height = size === 'drive' ? 'min-h-drive' : 'min-h-touch'
  const box = `${height} min-w-0 rounded-control border border-line bg-panel px-2`
  return (
    <form onSubmit={submit} className="grid gap-3">
      {!onlyHome && rows.length === 0 && <p className="text-quiet">{t('papers.noShifts')}</p>}
      {(onlyHome ? [] : rows).map((r, i) => (
        <fieldset key={r.id} className="grid grid-cols-[1fr_1fr] gap-2 rounded-panel border border-line p-3">
          <legend className="sr-only">{t('papers.shift', { n: i + 1 })}</legend>
          <select
            aria-label={t('papers.dayOf')}
            className={`${box} col-span-2`}
            value={r.day}
            onChange={(e) => change(r.id, { day: e.target.value as Shift['day'] })}
          >
            {days.map((d) => (
              <option key={d} value={d}>
                {t(`papers.day.${d}`)}
              </option>
            ))}
          </select>
          <input
            type="time"
            required
            aria-label={t('papers.from')}
            className={box}
            value={r.from}
            onChange={(e) => change(r.id, { from: e.target.value })}
          />
          <input
            type="time"
            required
            aria-label={t('papers.to')}
            className={box}
            value={r.to === '24:00' ? '00:00' : r.to}
            onChange={(e) => change(r.id, { to: e.target.value })}
          />
          {wrong(i) && (
            <p role="alert" className="col-span-2 text-bad">
              {wrong(i)}
            </p>
          )}
          <Button
            kind="quiet"
            size={size}
            className="col-span-2"
            onClick={() => setRows(rows.filter((x) => x.id !== r.id))}
          >
            {t('papers.removeShift', { n: i + 1 })}
          </Button>
        </fieldset>
      ))}
      <HomeFields home={home} size={size} onChange={setHome} />
      {!(
        save.error instanceof Problem && save.error.fields.some((f) => f.pointer.startsWith('/shifts/'))
      ) && (
        <SaveFailure
          error={save.error}
          {...(onRefresh && {
            onRefresh: () => {
              save.reset()
              onRefresh()
            },
          })}
        />
      )}
      {save.isSuccess && <p role="status">{t('papers.saved')}</p>}
      <div className="flex flex-wrap gap-2">
        {!onlyHome && (
          <Button size={size} disabled={rows.length >= 21} onClick={add}>
            {t('papers.addShift')}
          </Button>
        )}
        <Button
          type="submit"
          kind="primary"
          size={size}
          busy={save.isPending}
          disabled={zone === undefined}
          className="grow"
        >
          {t('papers.saveShifts')}
        </Button>
      </div>
    </form>
  )
}
