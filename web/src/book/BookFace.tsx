/** The customer's face: booking, what is under way, what has been. Whoever comes to book loads no more than that. */
import { Suspense } from 'react'
import { Route, Routes } from 'react-router'
import { part } from '@/app/part.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Skeleton } from '@/ui/index.tsx'
import { BookPage } from './BookPage.tsx'

const BookingPage = part(async () => {
  const [m] = await Promise.all([import('./BookingPage.tsx'), loadWords('arrive')])
  return { default: m.BookingPage }
})
const HistoryPage = part(() => import('./HistoryPage.tsx').then((m) => ({ default: m.HistoryPage })))

export function Component() {
  return (
    <Suspense fallback={<Skeleton className="m-4 h-40" />}>
      <Routes>
        <Route index element={<BookPage />} />
        <Route path="history" element={<HistoryPage />} />
        <Route path=":id" element={<BookingPage />} />
      </Routes>
    </Suspense>
  )
}
