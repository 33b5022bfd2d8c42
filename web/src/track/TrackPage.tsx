/** Whoever has the link sees where the goods are: no account, ten seconds of attention. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Suspense, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { useParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { isPassing, Problem } from '@/api/problem.ts'
import { useNow } from '@/app/hooks.ts'
import { part } from '@/app/part.ts'
import { Arrival, isComing, windowOf } from '@/booking/Arrival.tsx'
import { JourneyMap } from '@/booking/JourneyMap.tsx'
import { ProofOf } from '@/booking/ProofOf.tsx'
import { StateWord } from '@/booking/StateWord.tsx'
import { moment } from '@/i18n/format.ts'
import { Empty, Failure, Panel, Skeleton } from '@/ui/index.tsx'

const POLL_MS = 4_000
const OLD_MS = 10_000 // an older position says how old it is
type Stop = Schemas['Tracking']['stops'][number]
const ended: Schemas['BookingState'][] = ['delivered', 'cancelled', 'expired', 'failed', 'returned']

export function Component() {
  const { t } = useTranslation()
  const { token = '' } = useParams()
  const tracking = useQuery({
    queryKey: ['track', token],
    queryFn: () => data(api.GET('/v1/track/{token}', { params: { path: { token } } })),
    refetchInterval: (query) =>
      query.state.data && ended.includes(query.state.data.state) ? false : POLL_MS,
    retry: (count, error) => count < 3 && isPassing(error),
  })
  useEffect(() => {
    document.title = tracking.data ? t('track.title', { code: tracking.data.code }) : 'Lorry'
  }, [tracking.data, t])

  const status = (tracking.error as Problem | null)?.status
  if (status === 404 || status === 410) return <Empty alone>{t('track.gone')}</Empty>
  if (tracking.data === undefined)
    return tracking.error ? (
      <div className="p-4">
        <Failure error={tracking.error} retry={() => void tracking.refetch()} />
      </div>
    ) : (
      <div className="grid gap-3 p-4">
        <Skeleton className="h-drive" />
        <Skeleton className="h-64" />
      </div>
    )
  return <Tracked tracking={tracking.data} token={token} stale={tracking.error !== null} />
}

const isAhead = (stop: Stop) => stop.state === 'pending' || stop.state === 'arrived'

/** When, at the stop that the link is of (else at the next one), and what lies before that. */
function Coming({ tracking, now }: { tracking: Schemas['Tracking']; now: number }) {
  const { t } = useTranslation()
  const ahead = tracking.stops.filter(isAhead)
  const mine = tracking.stops.find((s) => s.proof?.pin !== undefined)
  const times = mine ? (isAhead(mine) ? mine : null) : tracking
  if (times === null || ended.includes(tracking.state)) return null
  const between = windowOf(times, now)
  const before = mine ? ahead.indexOf(mine) : 0
  return (
    <div>
      {times.eta && mine?.state !== 'arrived' && (
        <p className="figures text-lg">
          {between ? t('track.arrives', between) : t('arrive.about', { when: moment(times.eta, now) })}
        </p>
      )}
      {tracking.driver && (
        <p className="figures text-quiet">
          {!mine && t('arrive.left', { count: ahead.length })}
          {mine && (before > 0 ? t('arrive.before', { count: before }) : t('arrive.next'))}
        </p>
      )}
    </div>
  )
}

const RatingForm = part(() => import('@/book/RatingForm.tsx').then((m) => ({ default: m.RatingForm })))

/** Once it is delivered: whoever is first says how it was. */
function Rating({ tracking, token }: { tracking: Schemas['Tracking']; token: string }) {
  const client = useQueryClient()
  const params = { path: { token } }
  async function send(body: Schemas['RatingRequest']): Promise<Schemas['Tracking']> {
    try {
      return await data(api.POST('/v1/track/{token}/rating', { params, body }))
    } catch (refusal) {
      if (!(refusal instanceof Problem) || refusal.kind !== 'already-rated') throw refusal
      return data(api.GET('/v1/track/{token}', { params })) // somebody was before: that is what counts
    }
  }
  return (
    <Suspense>
      <RatingForm
        rating={tracking.rating}
        send={send}
        onDone={(now) => client.setQueryData(['track', token], now)}
      />
    </Suspense>
  )
}

type Props = { tracking: Schemas['Tracking']; token: string; stale: boolean }
function Tracked({ tracking, token, stale }: Props) {
  const { t } = useTranslation()
  const now = useNow()
  const { driver, position } = tracking
  return (
    <main className="flex h-full flex-col">
      <JourneyMap stops={tracking.stops} position={position ?? null} zoom={13} className="min-h-64 grow" />
      <Panel className="z-10 -mt-3 grid gap-3 rounded-b-none p-4">
        <p className="text-sm text-quiet">{t('track.title', { code: tracking.code })}</p>
        <h1 className="text-xl font-semibold">
          <StateWord state={tracking.state} driver={driver} />
        </h1>
        {driver?.free_at && <p>{t('track.waits')}</p>}
        <Coming tracking={tracking} now={now} />
        {tracking.reason && <p className="break-words">{t('arrive.why', { reason: tracking.reason })}</p>}
        {driver && (
          <p>
            {t('track.driver', {
              name: driver.name ?? '',
              vehicle: t(`vehicle.${driver.vehicle}`),
              plate: driver.plate ?? '',
            })}
          </p>
        )}
        {position && now - Date.parse(position.at) > OLD_MS && (
          <p className="text-sm text-waits">{t('track.seen', { when: moment(position.at, now) })}</p>
        )}
        {tracking.stops.map(
          (stop) =>
            stop.proof?.pin &&
            stop.state !== 'done' &&
            stop.state !== 'failed' && (
              <p key={stop.index} className="rounded-control border border-line p-3">
                {t('proof.yourPin')} <strong className="figures text-lg">{stop.proof.pin}</strong>
                <span className="block text-sm text-quiet">{t('proof.pinMore')}</span>
              </p>
            ),
        )}
        {stale && <p className="text-sm text-waits">{t('problem.offline')}</p>}
        {tracking.state === 'delivered' && <Rating tracking={tracking} token={token} />}
        <ol className="grid gap-2">
          {tracking.stops.map((stop) => (
            <li key={stop.index} className="flex gap-3">
              <span aria-hidden className="figures w-4 text-end text-quiet">
                {stop.index + 1}
              </span>
              <span className="grow">
                <bdi>{stop.address ?? t(`stop.${stop.kind}`)}</bdi>
                {stop.proof?.given && <ProofOf given={stop.proof.given} token={token} />}
              </span>
              <span className="text-end text-sm text-quiet">
                {isComing(stop) ? <Arrival times={stop} now={now} /> : t(`stopState.${stop.state}`)}
              </span>
            </li>
          ))}
        </ol>
      </Panel>
    </main>
  )
}
