/** What stands around every signed-in page: a narrow bar with the face's places, how live the view is, the account. */
import { Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { NavLink, Outlet } from 'react-router'
import type { User } from '@/api/session.ts'
import { cx } from '@/ui/index.tsx'
import { Tabs } from '@/ui/Tabs.tsx'
import { AccountFace } from './AccountFace.tsx'
import { useLiveBookings, useLiveStatus, useUser } from './hooks.ts'
import { part } from './part.ts'

const AccountMenu = part(() => import('./AccountMenu.tsx'))

const places: Record<User['role'], [string, string][]> = {
  customer: [
    ['/book', 'nav.book'],
    ['/book/history', 'nav.history'],
  ],
  driver: [
    ['/drive', 'nav.drive'],
    ['/drive/earnings', 'nav.earnings'],
    ['/drive/history', 'nav.jobs'],
    ['/drive/papers', 'mypapers.nav'],
  ],
  dispatcher: [
    ['/dispatch', 'nav.dispatch'],
    ['/admin', 'nav.admin'],
  ],
  admin: [
    ['/dispatch', 'nav.dispatch'],
    ['/admin', 'nav.admin'],
  ],
}

export function Shell() {
  const { t } = useTranslation()
  const user = useUser()
  useLiveBookings()
  return (
    <div className="flex h-full flex-col">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-panel focus:p-2"
      >
        {t('skip')}
      </a>
      <header className="flex min-h-touch items-center gap-1 border-b border-line bg-panel px-3">
        <span className="me-3 font-semibold">Lorry</span>
        <Tabs label={t('nav.label')}>
          {user &&
            places[user.role].map(([to, name]) => (
              <NavLink
                key={to}
                to={to}
                end={to !== '/admin'}
                className={({ isActive }) =>
                  cx(
                    'flex shrink-0 items-center px-3 text-sm',
                    user.role === 'driver' ? 'min-h-drive' : 'min-h-touch',
                    isActive ? 'font-semibold text-accent' : 'text-quiet',
                  )
                }
              >
                {t(name)}
              </NavLink>
            ))}
        </Tabs>
        <span className="grow" />
        <LiveBadge />
        <Account />
      </header>
      <main id="main" className="relative min-h-0 grow overflow-auto">
        <Outlet />
      </main>
    </div>
  )
}

/** Says nothing while all is well. */
function LiveBadge() {
  const { t } = useTranslation()
  const status = useLiveStatus()
  const said = status === 'reconnecting' || status === 'polling'
  return (
    <span role="status" className="px-2 text-sm text-waits">
      {said && <>◌ {t(`live.${status}`)}</>}
    </span>
  )
}

/** The menu is a fifth of the script of a page, and most visits never open it: it comes when it is asked for. */
function Account() {
  const [asked, setAsked] = useState(false)
  const button = <AccountFace aria-haspopup="menu" aria-expanded={false} onClick={() => setAsked(true)} />
  if (!asked) return button
  return (
    <Suspense fallback={button}>
      <AccountMenu />
    </Suspense>
  )
}
