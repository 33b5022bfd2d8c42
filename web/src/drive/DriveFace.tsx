/** The driver's face. What goes on whichever page shows is here: his position while on duty, what waits to be sent, the
 * screen that stays on, the offer that covers all. */
import { Suspense, useCallback, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { Route, Routes } from 'react-router'
import { currentUser, subscribe } from '@/api/session.ts'
import { part } from '@/app/part.ts'
import { startWorker, takeUpdate, useUpdate } from '@/app/pwa.ts'
import { words as cashWords } from '@/cash/words.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Button, Skeleton } from '@/ui/index.tsx'
import { allowSound } from './attention.ts'
import { EarningsPage } from './EarningsPage.tsx'
import {
  useAwakeWhile,
  useDriveLive,
  useDriver,
  useGpsWhile,
  useJobs,
  useNotice,
  useOffer,
  useOutbox,
  useSunTheme,
} from './hooks.ts'
import { JobsPage } from './JobsPage.tsx'
import { forgetLast } from './store.ts'
import { jobView, WorkPage } from './WorkPage.tsx'

/** Not for the first picture, but fetched right after it: an offer is there to be answered, wherever the network is by then. */
const offerSheet = async () => (await Promise.all([import('./OfferSheet.tsx'), cashWords()]))[0]
const OfferSheet = part(async () => ({ default: (await offerSheet()).OfferSheet }))

/** Seldom opened: it comes with its words when it is. */
const PapersPage = part(async () => {
  await loadWords('papers')
  return import('./PapersPage.tsx')
})

export function Component() {
  const driver = useDriver().value
  const jobs = useJobs().value
  const job = jobs?.now
  const onDuty = driver !== undefined && driver.duty !== 'off'
  const [notice, note, forget] = useNotice()
  const asked = useOffer(onDuty)
  const isHis = [job, jobs?.next].some((b) => b && b.id === asked?.booking_id)
  const offer = isHis ? null : asked
  useOutbox()
  useDriveLive(note)
  useGpsWhile(onDuty)
  useAwakeWhile(Boolean(job))
  useSunTheme(driver)
  useEffect(() => {
    void startWorker()
    // Away: asked for again when it is needed.
    for (const part of [offerSheet, jobView]) part().catch(() => undefined)
    // Whoever comes back to the page while on duty has not touched it yet.
    window.addEventListener('pointerdown', allowSound, { once: true })
    return () => window.removeEventListener('pointerdown', allowSound)
  }, [])
  // Names and addresses do not stay on the device of somebody who has signed out.
  useEffect(() => subscribe(() => void (currentUser() === null && forgetLast())), [])
  // A new offer makes what was said of the one before it old.
  const offerId = offer?.id
  useEffect(() => {
    if (offerId !== undefined) forget()
  }, [offerId, forget])
  return (
    <>
      <Routes>
        <Route index element={<WorkPage notice={notice} onRead={forget} />} />
        <Route path="earnings" element={<EarningsPage />} />
        <Route path="history" element={<JobsPage />} />
        <Route
          path="papers"
          element={
            <Suspense fallback={<Skeleton className="m-4 h-40" />}>
              <PapersPage />
            </Suspense>
          }
        />
      </Routes>
      {!job && <UpdateBar />}
      {offer && (
        <Suspense>
          <OfferSheet key={offer.id} offer={offer} note={note} />
        </Suspense>
      )}
    </>
  )
}

/** Asked between jobs only: a new version starts the page anew. */
function UpdateBar() {
  const { t } = useTranslation()
  const there = useUpdate()
  const take = useCallback(() => takeUpdate(), [])
  if (!there) return null
  return (
    <div
      role="status"
      className="sticky bottom-0 flex flex-wrap items-center justify-between gap-2 border-t border-line bg-panel p-3"
    >
      <span>{t('drive.update.there')}</span>
      <Button size="drive" onClick={take}>
        {t('drive.update.take')}
      </Button>
    </div>
  )
}
