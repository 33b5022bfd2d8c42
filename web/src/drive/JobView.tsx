/** The job under way: where to, who is there, and the one thing to do next, under the thumb. */
import { type ReactNode, Suspense, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { useNow } from '@/app/hooks.ts'
import { part } from '@/app/part.ts'
import { Waiting } from '@/booking/Extras.tsx'
import { GoodsList } from '@/booking/Goods.tsx'
import { canCall } from '@/booking/people.ts'
import { mustConfirm, StopCash } from '@/cash/StopCash.tsx'
import { clock, moment, money } from '@/i18n/format.ts'
import { Button, cx } from '@/ui/index.tsx'
import { canFail, canRelease, currentStop, missingAt, nextStep, suggestedStep } from './acts.ts'
import { FailDialog } from './FailDialog.tsx'
import { wayTo } from './fix.ts'
import { GpsLine } from './GpsLine.tsx'
import { outbox } from './outbox.ts'
import { ProofForm } from './ProofForm.tsx'
import { ReleaseDialog } from './ReleaseDialog.tsx'

const JobMap = part(() => import('./JobMap.tsx'))
/** A second press that comes sooner was meant for the step before. */
const SETTLE_MS = 800

type Props = { job: Schemas['Booking']; next: Schemas['Booking'] | null; unsent: number; said: ReactNode }
export function JobView({ job, next, unsent, said }: Props) {
  const stop = currentStop(job)
  return (
    <div className="flex min-h-full flex-col md:h-full md:min-h-0 md:flex-row-reverse">
      <Suspense fallback={<div className="min-h-48 grow" />}>
        <JobMap job={job} className="min-h-48 grow" />
      </Suspense>
      {/* What has the focus is scrolled clear of the action below. */}
      <div className="flex flex-col gap-4 bg-panel p-4 [&_a]:scroll-mb-40 [&_summary]:scroll-mb-40 md:w-96 md:shrink-0 md:overflow-auto md:border-e md:border-line">
        {said}
        <Head job={job} tentative={unsent > 0} />
        {stop && <StopCard stop={stop} />}
        {stop && <StopCash job={job} stop={stop} unsent={unsent} />}
        <GpsLine />
        <More job={job} />
        {canRelease(job.state) && unsent === 0 && <ReleaseDialog job={job} />}
        {next && <ComesNext job={next} />}
        <Next job={job} stop={stop} />
      </div>
    </div>
  )
}

function Head({ job, tentative }: { job: Schemas['Booking']; tentative: boolean }) {
  const { t } = useTranslation()
  const now = useNow(10_000)
  const eta = job.stops.find((s) => s.eta !== null)?.eta
  return (
    <header aria-live="polite">
      <p className="text-sm text-quiet">
        <bdi>{job.code}</bdi>
      </p>
      <h1 className={cx('text-xl font-semibold', tentative && 'text-quiet')}>
        {t(`drive.state.${job.state}`)}
        {tentative && <span className="block text-sm">◌ {t('drive.tentative')}</span>}
      </h1>
      {eta && <p className="figures text-lg">{t('drive.eta', { when: moment(eta, now) })}</p>}
      <Waiting booking={job} />
    </header>
  )
}

function StopCard({ stop }: { stop: Schemas['Stop'] }) {
  const { t } = useTranslation()
  const { contact } = stop
  const way = wayTo(stop, navigator.userAgent)
  const name = contact?.name ?? t('drive.contact')
  return (
    <section aria-label={t(`stop.${stop.kind}`)} className="grid gap-2">
      <p className="text-lg font-medium">
        <bdi>{stop.address ?? t(`stop.${stop.kind}`)}</bdi>
      </p>
      {contact?.name && <p className="text-quiet">{contact.name}</p>}
      {stop.note && (
        <p
          role="note"
          aria-label={t('drive.note')}
          className="whitespace-pre-line rounded-control border border-line p-3"
        >
          <bdi>{stop.note}</bdi>
        </p>
      )}
      <div className="flex flex-wrap gap-2">
        <Button size="drive" asChild>
          <a href={way} target={way.startsWith('https:') ? '_blank' : undefined} rel="noreferrer">
            {t('drive.navigate')}
          </a>
        </Button>
        {contact && canCall(contact.phone) && (
          <>
            <Button size="drive" asChild>
              <a href={`tel:${contact.phone}`} aria-label={t('drive.callName', { name })}>
                {t('booking.call')}
              </a>
            </Button>
            <Button size="drive" asChild>
              <a href={`sms:${contact.phone}`} aria-label={t('drive.messageName', { name })}>
                {t('drive.message')}
              </a>
            </Button>
          </>
        )}
      </div>
    </section>
  )
}

function More({ job }: { job: Schemas['Booking'] }) {
  const { t } = useTranslation()
  return (
    <>
      <GoodsList goods={job.goods} />
      {job.notes && <p className="rounded-control border border-line p-3">{job.notes}</p>}
      {job.payment === 'cash' && (
        <p className="figures">{t('drive.collect', { money: money(job.price.total, job.price.currency) })}</p>
      )}
      <details>
        <summary className="min-h-drive content-center">
          {t('drive.stops', { count: job.stops.length })}
        </summary>
        <ol className="grid gap-2">
          {job.stops.map((s) => (
            <li key={s.index} className="flex gap-3">
              <span aria-hidden className="figures text-quiet">
                {s.index + 1}
              </span>
              <span className="grow">
                <bdi>{s.address ?? t(`stop.${s.kind}`)}</bdi>
              </span>
              <span className="text-sm text-quiet">{t(`stopState.${s.state}`)}</span>
            </li>
          ))}
        </ol>
      </details>
    </>
  )
}

/** What he has taken to do after this; he may give it back. */
function ComesNext({ job }: { job: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const [from, to] = [job.stops[0], job.stops.at(-1)]
  return (
    <section
      aria-labelledby="comes-next"
      className="grid gap-2 rounded-panel border border-line p-3 [&_button]:scroll-mb-40"
    >
      <h2 id="comes-next" className="font-semibold">
        {t('drive.next.title')} <bdi className="text-sm font-normal text-quiet">{job.code}</bdi>
      </h2>
      <p>
        <bdi>{from?.address ?? t('stop.pickup')}</bdi>{' '}
        <span className="inline-block rtl:-scale-x-100">→</span> <bdi>{to?.address ?? t('stop.dropoff')}</bdi>
      </p>
      {job.driver?.free_at && (
        <p className="figures text-quiet">{t('drive.next.due', { when: clock(job.driver.free_at) })}</p>
      )}
      <ReleaseDialog job={job} />
    </section>
  )
}

/** Stays where the thumb is, whatever is above it; but for a stop whose cash is unsaid, where the thumb belongs to that. */
function Next({ job, stop }: { job: Schemas['Booking']; stop: Schemas['Stop'] | undefined }) {
  const { t } = useTranslation()
  const pressedAt = useRef(Number.NEGATIVE_INFINITY)
  const step = nextStep(job.state)
  const missing = missingAt(stop)
  const asked = suggestedStep(job) !== null
  const unpaid = mustConfirm(stop)
  if (step === null || stop === undefined) return null
  function go() {
    const now = performance.now()
    if (step === null || stop === undefined || now - pressedAt.current < SETTLE_MS) return
    pressedAt.current = now
    void outbox.step(job, step, stop.index)
  }
  /** The photo first: what has failed takes no more. */
  async function fail(reason: string, photo: Blob | null) {
    if (stop === undefined) return
    if (photo !== null) await outbox.prove(job, stop.index, { photo })
    await outbox.step(job, 'failed', stop.index, reason)
  }
  return (
    <div className={cx('mt-auto grid gap-2 bg-panel pt-2 pb-4', !unpaid && 'sticky bottom-0')}>
      {missing.length > 0 ? (
        <ProofForm kinds={missing} onGive={(given) => void outbox.prove(job, stop.index, given)} />
      ) : unpaid ? null : (
        <>
          <p role="status" className={cx('text-lg font-medium text-going', !asked && 'sr-only')}>
            {asked && t(`arrive.ask.${step}`)}
          </p>
          <Button
            kind="primary"
            size="drive"
            className={cx('w-full', asked && 'ring-4 ring-going')}
            onClick={go}
          >
            {t(asked ? `arrive.yes.${step}` : `drive.do.${step}`)}
          </Button>
        </>
      )}
      {canFail(job.state) && (
        <FailDialog
          returns={stop.kind === 'dropoff' && job.returns !== undefined}
          onFail={(reason, photo) => void fail(reason, photo)}
        />
      )}
    </div>
  )
}
