/** One's own account, whatever one's role: who one is, how one signs in, what one is told of, what is known of one. */
import { type ComponentType, type ReactNode, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Navigate, NavLink, Route, Routes } from 'react-router'
import type { User } from '@/api/session.ts'
import { useUser } from '@/app/hooks.ts'
import { part } from '@/app/part.ts'
import { loadWords } from '@/i18n/parts.ts'
import { cx, Skeleton } from '@/ui/index.tsx'
import { Tabs } from '@/ui/Tabs.tsx'
import { Toaster } from '@/ui/toast.tsx'

const everybody: User['role'][] = ['customer', 'driver', 'dispatcher', 'admin']
type Place = { path: string; name: string; roles: User['role'][]; Page: ComponentType }
const page = (words: string[], load: () => Promise<{ default: ComponentType }>) =>
  part(async () => {
    await loadWords('set', 'account', ...words)
    return load()
  })
const places: Place[] = [
  {
    path: 'profile',
    name: 'account.profile',
    roles: everybody,
    Page: page([], () => import('./ProfilePage.tsx')),
  },
  {
    path: 'security',
    name: 'account.security',
    roles: everybody,
    Page: page([], () => import('./SecurityPage.tsx')),
  },
  { path: 'told', name: 'account.told', roles: everybody, Page: page([], () => import('./ToldPage.tsx')) },
  {
    path: 'places',
    name: 'account.places',
    roles: ['customer'],
    Page: page(['saved'], () => import('@/saved/PlacesPage.tsx')),
  },
  {
    path: 'recurring',
    name: 'account.recurring',
    roles: ['customer'],
    Page: page(['recurring', 'note'], () => import('@/recurring/RecurringPage.tsx')),
  },
  { path: 'data', name: 'account.data', roles: everybody, Page: page([], () => import('./DataPage.tsx')) },
  {
    path: 'imports',
    name: 'account.imports',
    roles: ['customer', 'dispatcher', 'admin'],
    Page: page(['imports'], () => import('./ImportsPage.tsx')),
  },
  // Staff has these in the administration.
  {
    path: 'keys',
    name: 'account.keys',
    roles: ['customer', 'driver'],
    Page: page(['apikeys'], () => import('@/keys/KeysPage.tsx')),
  },
  {
    path: 'webhooks',
    name: 'account.webhooks',
    roles: ['customer'],
    Page: page(['webhooks'], () => import('@/webhooks/WebhooksPage.tsx')),
  },
]
const Words = part(async () => {
  await loadWords('set', 'account')
  return { default: ({ children }: { children: ReactNode }) => children }
})

export function Component() {
  return (
    <Suspense fallback={<Skeleton className="m-4 h-40" />}>
      <Words>
        <Pages />
      </Words>
    </Suspense>
  )
}

function Pages() {
  const { t } = useTranslation()
  const role = useUser()?.role ?? 'customer'
  const mine = places.filter((place) => place.roles.includes(role))
  return (
    <div className="mx-auto flex max-w-5xl flex-col">
      <Tabs label={t('account.title')} className="border-b border-line p-2">
        {mine.map(({ path, name }) => (
          <NavLink
            key={path}
            to={`/account/${path}`}
            className={({ isActive }) =>
              cx(
                'flex min-h-touch shrink-0 items-center rounded-control px-3 text-sm',
                isActive ? 'bg-raised font-semibold text-accent' : 'text-quiet hover:bg-raised',
              )
            }
          >
            {t(name)}
          </NavLink>
        ))}
      </Tabs>
      <Routes>
        {mine.map(({ path, Page }) => (
          <Route
            key={path}
            path={`${path}/*`}
            element={
              <Suspense fallback={<Skeleton className="m-4 h-40" />}>
                <Page />
              </Suspense>
            }
          />
        ))}
        <Route path="*" element={<Navigate to="/account/profile" replace />} />
      </Routes>
      <Toaster />
    </div>
  )
}
