/** What he has earned: all of it, day by day, and a day's jobs. */
import { useQuery } from '@tanstack/react-query'
import { Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { part } from '@/app/part.ts'
import { words as cashWords } from '@/cash/words.ts'
import { date, money } from '@/i18n/format.ts'
import { Button, Empty, Failure, Skeleton } from '@/ui/index.tsx'
import { JobLine } from './JobsPage.tsx'

const HeldCash = part(async () => {
  const [{ HeldCash }] = await Promise.all([import('@/cash/HeldCash.tsx'), cashWords()])
  return { default: HeldCash }
})
const PAGES_MAX = 10 // of 100 jobs: a month of a busy driver

export function EarningsPage() {
  const { t } = useTranslation()
  const [query, setQuery] = useSearchParams()
  const open = query.get('day')
  const earnings = useQuery({
    queryKey: ['bookings', 'earnings'], // anew whenever a booking changes
    queryFn: () => data(api.GET('/v1/driver/earnings')),
  })
  const sum = earnings.data
  return (
    <div className="mx-auto grid max-w-xl gap-4 p-4">
      <h1 className="text-lg font-semibold">{t('nav.earnings')}</h1>
      {earnings.isPending && <Skeleton className="h-32" />}
      {earnings.error && (
        <Failure size="drive" error={earnings.error} retry={() => void earnings.refetch()} />
      )}
      {sum && (
        <p>
          <span className="figures block text-xl font-semibold">{money(sum.total, sum.currency)}</span>
          <span className="text-quiet">{t('drive.earnings.span', { count: sum.bookings })}</span>
        </p>
      )}
      <Suspense>
        <HeldCash />
      </Suspense>
      {sum?.days.length === 0 && <Empty>{t('drive.earnings.none')}</Empty>}
      <ul className="grid gap-2">
        {sum?.days.toReversed().map((d) => (
          <li key={d.date} className="rounded-panel border border-line bg-panel">
            <Button
              kind="quiet"
              size="drive"
              className="w-full justify-between"
              aria-expanded={open === d.date}
              onClick={() => setQuery(open === d.date ? {} : { day: d.date }, { replace: true })}
            >
              <span>{date(d.date)}</span>
              <span className="figures">
                {t('drive.earnings.jobs', { count: d.bookings })} · {money(d.total, sum.currency)}
              </span>
            </Button>
            {open === d.date && <DayJobs day={d.date} />}
          </li>
        ))}
      </ul>
      <p className="text-sm text-quiet">{t('drive.earnings.utc')}</p>
    </div>
  )
}

function DayJobs({ day }: { day: string }) {
  const jobs = useQuery({ queryKey: ['bookings', 'day', day], queryFn: () => deliveredOn(day) })
  if (jobs.error) return <Failure size="drive" error={jobs.error} retry={() => void jobs.refetch()} />
  if (jobs.data === undefined) return <Skeleton className="h-16" />
  return (
    <ul className="grid gap-2 px-4 pb-4">
      {jobs.data.map((job) => (
        <JobLine key={job.id} job={job} />
      ))}
    </ul>
  )
}

/** Newest bookings come first: reading ends where all were made two days before DAY, for none takes longer. */
async function deliveredOn(day: string): Promise<Schemas['Booking'][]> {
  const before = new Date(Date.parse(day) - 2 * 86_400_000).toISOString()
  const found: Schemas['Booking'][] = []
  let cursor: string | null = null
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page: { items: Schemas['Booking'][]; next_cursor: string | null } = await data(
      api.GET('/v1/bookings', {
        params: { query: { state: 'delivered', limit: 100, ...(cursor !== null && { cursor }) } },
      }),
    )
    found.push(...page.items.filter((b) => b.ended_at?.startsWith(day)))
    cursor = page.next_cursor
    if (cursor === null || (page.items.at(-1)?.created_at ?? '') < before) break
  }
  return found
}
