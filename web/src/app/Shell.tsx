/** What stands around every signed-in page: a narrow bar with the face's places, how live the view is, the account. */
import { DropdownMenu } from 'radix-ui'
import { useTranslation } from 'react-i18next'
import { NavLink, Outlet, useNavigate } from 'react-router'
import { signOut, type User } from '@/api/session.ts'
import { type Language, languages, setLanguage } from '@/i18n/index.ts'
import { cx } from '@/ui/index.tsx'
import { useLiveBookings, useLiveStatus, useUser } from './hooks.ts'
import { type Choice, chooseTheme, themeChoice } from './theme.ts'

const places: Record<User['role'], [string, string][]> = {
  customer: [
    ['/book', 'nav.book'],
    ['/book/history', 'nav.history'],
  ],
  driver: [
    ['/drive', 'nav.drive'],
    ['/drive/earnings', 'nav.earnings'],
    ['/drive/history', 'nav.jobs'],
  ],
  dispatcher: [['/dispatch', 'nav.dispatch']],
  admin: [['/dispatch', 'nav.dispatch']],
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
        <nav className="flex min-w-0 gap-1 overflow-x-auto" aria-label={t('nav.label')}>
          {user &&
            places[user.role].map(([to, name]) => (
              <NavLink
                key={to}
                to={to}
                end
                className={({ isActive }) =>
                  cx(
                    'flex items-center px-3 text-sm',
                    user.role === 'driver' ? 'min-h-drive' : 'min-h-touch',
                    isActive ? 'font-semibold text-accent' : 'text-quiet',
                  )
                }
              >
                {t(name)}
              </NavLink>
            ))}
        </nav>
        <span className="grow" />
        <LiveBadge />
        <AccountMenu />
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

const item =
  'flex min-h-touch cursor-default items-center gap-2 px-3 text-sm outline-none data-highlighted:bg-raised'

function AccountMenu() {
  const { t, i18n } = useTranslation()
  const user = useUser()
  const navigate = useNavigate()
  return (
    <DropdownMenu.Root dir={i18n.dir()}>
      <DropdownMenu.Trigger
        className="flex size-touch items-center justify-center rounded-control"
        aria-label={t('menu.label')}
      >
        <span
          aria-hidden
          className="flex size-8 items-center justify-center rounded-panel bg-raised text-sm font-semibold"
        >
          {user?.name.slice(0, 1).toUpperCase() ?? '☰'}
        </span>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          className="z-40 min-w-56 rounded-panel border border-line bg-panel py-2"
        >
          {user && (
            <DropdownMenu.Label className="px-3 py-1 text-sm text-quiet">{user.name}</DropdownMenu.Label>
          )}
          <DropdownMenu.RadioGroup
            value={themeChoice()}
            onValueChange={(v) => chooseTheme(v as Choice)}
            aria-label={t('menu.theme')}
          >
            {(['system', 'light', 'dark'] as const).map((choice) => (
              <DropdownMenu.RadioItem key={choice} value={choice} className={item}>
                <DropdownMenu.ItemIndicator>✓</DropdownMenu.ItemIndicator>
                {t(`menu.${choice}`)}
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
          <DropdownMenu.Separator className="my-1 h-px bg-line" />
          <DropdownMenu.RadioGroup
            value={i18n.language}
            onValueChange={(v) => void setLanguage(v as Language)}
            aria-label={t('menu.language')}
          >
            {Object.entries(languages).map(([code, name]) => (
              <DropdownMenu.RadioItem key={code} value={code} lang={code} className={item}>
                <DropdownMenu.ItemIndicator>✓</DropdownMenu.ItemIndicator>
                {name}
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
          <DropdownMenu.Separator className="my-1 h-px bg-line" />
          <DropdownMenu.Item className={item} onSelect={() => navigate('/docs')}>
            {t('menu.docs')}
          </DropdownMenu.Item>
          {user && (
            <>
              <DropdownMenu.Separator className="my-1 h-px bg-line" />
              <DropdownMenu.Item
                className={item}
                onSelect={() => void signOut().then(() => navigate('/sign-in'))}
              >
                {t('menu.signOut')}
              </DropdownMenu.Item>
            </>
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}
