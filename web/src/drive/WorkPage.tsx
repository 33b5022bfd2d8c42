/** Where a driver is all day: the job, or waiting for one, or off duty; at the start, which vehicle. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { part } from '@/app/part.ts'
import { words as cashWords } from '@/cash/words.ts'
import { clock } from '@/i18n/format.ts'
import { Button, cx, Failure, Panel, Skeleton } from '@/ui/index.tsx'
import { allowSound } from './attention.ts'
import { GpsLine } from './GpsLine.tsx'
import { driverKey, type Notice, useDriver, useIsOld, useJobs, useWaiting } from './hooks.ts'
import { outbox } from './outbox.ts'
import { StopsChanged } from './StopsChanged.tsx'
import { VehicleForm } from './VehicleForm.tsx'

/** Whoever waits for a job does not wait for this; it is fetched right after the first picture. */
export const jobView = async () => (await Promise.all([import('./JobView.tsx'), cashWords()]))[0]
const JobView = part(async () => ({ default: (await jobView()).JobView }))

type Props = { notice: Notice | null; onRead: () => void }
export function WorkPage({ notice, onRead }: Props) {
  const driver = useDriver()
  const jobs = useJobs()
  if (driver.value === undefined || jobs.value === undefined) {
    const error = driver.error ?? jobs.error
    return (
      <div className="grid gap-3 p-4">
        {error ? (
          <Failure size="drive" error={error} retry={driver.error ? driver.retry : jobs.retry} />
        ) : (
          <>
            <Skeleton className="h-drive" />
            <Skeleton className="h-64" />
          </>
        )}
      </div>
    )
  }
  const { now: job, next } = jobs.value
  const said = (
    <>
      <OldLine at={Math.min(driver.at, jobs.at)} />
      <UnsentLine />
      <RefusalCard />
      {job && <StopsChanged job={job} />}
      {notice && <NoticeCard notice={notice} onRead={onRead} />}
    </>
  )
  if (job !== null)
    return (
      <Suspense fallback={<Skeleton className="m-4 h-64" />}>
        <JobView job={job} next={next} unsent={jobs.unsent} said={said} />
      </Suspense>
    )
  return (
    <div className="mx-auto flex min-h-full max-w-xl flex-col gap-4 p-4">
      {said}
      <Waiting driver={driver.value} />
    </div>
  )
}

function Waiting({ driver }: { driver: Schemas['Driver'] }) {
  const { t } = useTranslation()
  if (driver.status === 'suspended')
    return (
      <StatusPanel icon="✕" tone="text-bad" title={t('drive.status.suspended')}>
        {driver.status_reason ?? t('drive.status.noReason')} {t('drive.status.ask')}
      </StatusPanel>
    )
  if (driver.vehicle === null) return <VehicleForm driver={driver} />
  if (driver.status === 'pending')
    return (
      <StatusPanel icon="◌" tone="text-waits" title={t('drive.status.pending')}>
        {t('drive.status.pendingMore')}
      </StatusPanel>
    )
  return <Duty driver={driver} />
}

type StatusProps = { icon: string; tone: string; title: string; children?: React.ReactNode }
function StatusPanel({ icon, tone, title, children }: StatusProps) {
  return (
    <Panel className="grid gap-2 p-4">
      <h1 className={cx('flex items-baseline gap-2 text-xl font-semibold', tone)}>
        <span aria-hidden>{icon}</span>
        {title}
      </h1>
      {children && <p>{children}</p>}
    </Panel>
  )
}

function Duty({ driver }: { driver: Schemas['Driver'] }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const on = driver.duty !== 'off'
  const change = useMutation({
    mutationFn: (duty: 'on' | 'off') => data(api.POST('/v1/driver/duty', { body: { duty } })),
    onSuccess: (changed) => client.setQueryData(driverKey, changed),
    onError: () => void client.invalidateQueries({ queryKey: driverKey }),
  })
  return (
    <>
      <StatusPanel
        icon={on ? '●' : '○'}
        tone={on ? 'text-good' : 'text-quiet'}
        title={t(on ? 'drive.duty.on' : 'drive.duty.off')}
      >
        {t(on ? 'drive.duty.onMore' : 'drive.duty.offMore')}
      </StatusPanel>
      <GpsLine />
      <p className="text-sm text-quiet">
        {driver.vehicle && (
          <>
            {t(`vehicle.${driver.vehicle.class}`)} <bdi>{driver.vehicle.plate}</bdi>
          </>
        )}
      </p>
      {!on && (
        <details>
          <summary className="min-h-drive content-center">{t('drive.vehicle.change')}</summary>
          <VehicleForm driver={driver} />
        </details>
      )}
      <span className="grow" />
      {change.error !== null && <Failure size="drive" error={change.error} />}
      <Button
        size="drive"
        kind={on ? 'plain' : 'primary'}
        busy={change.isPending}
        className="w-full"
        onClick={() => {
          allowSound()
          change.mutate(on ? 'off' : 'on')
        }}
      >
        {t(on ? 'drive.duty.goOff' : 'drive.duty.goOn')}
      </Button>
    </>
  )
}

function OldLine({ at }: { at: number }) {
  const { t } = useTranslation()
  const old = useIsOld(at)
  if (!old) return null
  return <p className="text-waits">◌ {t('drive.old', { when: clock(new Date(at).toISOString()) })}</p>
}

/** How much the server has not heard of yet. */
function UnsentLine() {
  const { t } = useTranslation()
  const { acts, fixes } = useWaiting()
  const many = fixes > 20 // one or two are always on their way
  return (
    <>
      <p role="status" className={cx('text-waits', acts.length === 0 && 'sr-only')}>
        {acts.length > 0 && <>◌ {t('drive.unsent.steps', { count: acts.length })}</>}
      </p>
      {many && <p className="figures text-waits">◌ {t('drive.unsent.fixes', { count: fixes })}</p>}
    </>
  )
}

function RefusalCard() {
  const { t } = useTranslation()
  const { refusal } = useWaiting()
  if (refusal === null) return null
  return (
    <div role="alert" className="grid gap-2 rounded-panel border border-bad bg-panel p-3">
      <p>
        {t('drive.refused.say', { code: refusal.code, step: t(`drive.did.${refusal.status}`) })}{' '}
        {refusal.state && t('drive.refused.now', { state: t(`drive.state.${refusal.state}`) })}
      </p>
      {refusal.state === null && <p className="text-quiet">{refusal.detail}</p>}
      <Button size="drive" onClick={() => void outbox.forgetRefusal()}>
        {t('drive.read')}
      </Button>
    </div>
  )
}

function NoticeCard({ notice, onRead }: { notice: Notice; onRead: () => void }) {
  const { t } = useTranslation()
  return (
    <div
      role="status"
      className="flex flex-wrap items-center justify-between gap-2 rounded-panel border border-line bg-panel p-3"
    >
      <p>{t(`drive.notice.${notice.kind}`, { code: 'code' in notice ? notice.code : '' })}</p>
      <Button size="drive" onClick={onRead}>
        {t('drive.read')}
      </Button>
    </div>
  )
}
