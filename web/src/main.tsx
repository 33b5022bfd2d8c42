import './app.css'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { RouterProvider } from 'react-router/dom'
import { isPassing } from './api/problem.ts'
import { currentUser, subscribe } from './api/session.ts'
import { router } from './app/router.tsx'
import { startTheme } from './app/theme.ts'
import { startLanguage } from './i18n/index.ts'

const client = new QueryClient({
  defaultOptions: {
    // A browser's word for "offline" is a guess: ask, and say what came of it.
    queries: {
      staleTime: 10_000,
      networkMode: 'always',
      retry: (count, error) => count < 3 && isPassing(error),
    },
    mutations: { networkMode: 'always' },
  },
})

// Nobody is shown what was asked for by another account on this device.
let account = currentUser()?.id
subscribe(() => {
  if (currentUser()?.id === account) return
  account = currentUser()?.id
  client.clear()
})

startTheme()
await startLanguage()
createRoot(document.getElementById('app') as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
