/** The customer's face: booking, what is under way, what has been. */
import { Route, Routes } from 'react-router'
import { BookingPage } from './BookingPage.tsx'
import { BookPage } from './BookPage.tsx'
import { HistoryPage } from './HistoryPage.tsx'

export function Component() {
  return (
    <Routes>
      <Route index element={<BookPage />} />
      <Route path="history" element={<HistoryPage />} />
      <Route path=":id" element={<BookingPage />} />
    </Routes>
  )
}
