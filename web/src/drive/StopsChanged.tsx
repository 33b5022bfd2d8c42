/** Somebody has changed the stops of the job: said until he has read it, also after a reload or a dead zone. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { currentUser } from '@/api/session.ts'
import { Button } from '@/ui/index.tsx'
import { callForAttention } from './attention.ts'
import { recall, remember } from './store.ts'

/** The job whose stops he has seen, and as of which change of them. */
type Seen = { id: string; revision: number }

export function StopsChanged({ job }: { job: Schemas['Booking'] }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const place = `${currentUser()?.id}/stops-seen`
  const queryKey = ['kept', place]
  const seen = useQuery({
    queryKey,
    queryFn: async () => (await recall<Seen>(place))?.value ?? null,
    staleTime: Number.POSITIVE_INFINITY,
  })
  const revision = job.stops_revision ?? 0
  const known = seen.data !== undefined
  const fresh = known && seen.data?.id !== job.id // he took it as it is
  const news = known && !fresh && (seen.data?.revision ?? 0) < revision
  function read() {
    const now: Seen = { id: job.id, revision }
    client.setQueryData(queryKey, now)
    void remember(place, now)
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each job
  useEffect(() => {
    if (fresh) read()
  }, [fresh, job.id])
  useEffect(() => {
    if (news) callForAttention()
  }, [news])
  if (!news) return null
  return (
    <div role="alert" className="grid gap-2 rounded-panel border border-waits bg-panel p-3">
      <p>{t('drive.notice.stops', { code: job.code })}</p>
      <Button size="drive" onClick={read}>
        {t('drive.read')}
      </Button>
    </div>
  )
}
