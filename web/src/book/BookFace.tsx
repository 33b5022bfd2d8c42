/** The customer's face: booking, what is under way, what has been. Booking comes at once, the rest when it is asked for. */
import { lazy, Suspense } from 'react'
import { Route, Routes } from 'react-router'
import { Skeleton } from '@/ui/index.tsx'
import { BookPage } from './BookPage.tsx'

const BookingPage = lazy(() => import('./BookingPage.tsx').then((m) => ({ default: m.BookingPage })))
const HistoryPage = lazy(() => import('./HistoryPage.tsx').then((m) => ({ default: m.HistoryPage })))

export function Component() {
  return (
    <Suspense fallback={<Skeleton className="m-4 h-64" />}>
      <Routes>
        <Route index element={<BookPage />} />
        <Route path="history" element={<HistoryPage />} />
        <Route path=":id" element={<BookingPage />} />
      </Routes>
    </Suspense>
  )
}
