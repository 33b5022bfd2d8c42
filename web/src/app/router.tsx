/** Which page an address shows. Each face is a chunk of its own; whoever may not see it is sent to where he belongs. */
import { useQuery } from '@tanstack/react-query'
import { createBrowserRouter, Navigate, Outlet, useLocation } from 'react-router'
import type { User } from '@/api/session.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Broken } from './Broken.tsx'
import { setupQuery, useUser } from './hooks.ts'
import { Shell } from './Shell.tsx'

type Role = User['role']
const homes: Record<Role, string> = {
  customer: '/book',
  driver: '/drive',
  dispatcher: '/dispatch',
  admin: '/dispatch',
}

function Home() {
  const user = useUser()
  const setup = useQuery({ ...setupQuery, enabled: user === null })
  if (user !== null) return <Navigate to={homes[user.role]} replace />
  if (setup.isPending) return null
  return <Navigate to={setup.data?.needed ? '/setup' : '/sign-in'} replace />
}

function Only({ roles }: { roles: Role[] }) {
  const user = useUser()
  const { pathname, search } = useLocation()
  if (user === null) return <Navigate to={`/sign-in?next=${encodeURIComponent(pathname + search)}`} replace />
  return roles.includes(user.role) ? <Outlet /> : <Navigate to={homes[user.role]} replace />
}

/** A face that says when somebody arrives. Once, and not by a loader: that would hold up each step from page to page. */
async function worded<T>(face: Promise<T>): Promise<T> {
  await loadWords('arrive')
  return face
}

/** What stands there while the first page is read: nothing, for a blink. */
const HydrateFallback = () => null

export const router = createBrowserRouter([
  {
    path: '/track/:token',
    HydrateFallback,
    ErrorBoundary: Broken,
    lazy: () => worded(import('@/track/TrackPage.tsx')),
  },
  {
    element: <Shell />,
    HydrateFallback,
    ErrorBoundary: Broken,
    children: [
      { index: true, element: <Home /> },
      { path: '/sign-in', lazy: () => import('./SignInPage.tsx') },
      { path: '/register', lazy: () => import('./RegisterPage.tsx') },
      { path: '/reset-password', lazy: () => import('./ResetPasswordPage.tsx') },
      { path: '/verify-email', lazy: () => import('./VerifyEmailPage.tsx') },
      { path: '/setup', lazy: () => import('./SetupPage.tsx') },
      { path: '/docs', lazy: () => import('@/docs/DocsPage.tsx') },
      {
        element: <Only roles={['customer', 'driver', 'dispatcher', 'admin']} />,
        children: [{ path: '/account/*', lazy: () => import('@/account/AccountPages.tsx') }],
      },
      {
        element: <Only roles={['customer']} />,
        children: [{ path: '/book/*', lazy: () => import('@/book/BookFace.tsx') }],
      },
      {
        element: <Only roles={['driver']} />,
        children: [{ path: '/drive/*', lazy: () => worded(import('@/drive/DriveFace.tsx')) }],
      },
      {
        element: <Only roles={['dispatcher', 'admin']} />,
        children: [
          { path: '/dispatch', lazy: () => import('@/dispatch/DispatchFace.tsx') },
          { path: '/admin/*', lazy: () => import('@/admin/AdminFace.tsx') },
        ],
      },
      { path: '*', lazy: () => import('./NotFoundPage.tsx') },
    ],
  },
])
