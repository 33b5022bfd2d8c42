/** Who is signed in, how the pages look and speak, and the way out. It is made when it is first asked for, and so opens at once. */
import { DropdownMenu } from 'radix-ui'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import { signOut } from '@/api/session.ts'
import { type Language, languages, setLanguage } from '@/i18n/index.ts'
import { AccountFace } from './AccountFace.tsx'
import { useUser } from './hooks.ts'
import { type Choice, chooseTheme, themeChoice } from './theme.ts'

const item =
  'flex min-h-touch cursor-default items-center gap-2 px-3 text-sm outline-none data-highlighted:bg-raised'

export default function AccountMenu() {
  const { t, i18n } = useTranslation()
  const user = useUser()
  const navigate = useNavigate()
  return (
    <DropdownMenu.Root dir={i18n.dir()} defaultOpen>
      <DropdownMenu.Trigger asChild>
        <AccountFace />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          className="z-40 min-w-56 rounded-panel border border-line bg-panel py-2"
        >
          {user && (
            <>
              <DropdownMenu.Label className="px-3 py-1 text-sm text-quiet">{user.name}</DropdownMenu.Label>
              <DropdownMenu.Item className={item} onSelect={() => navigate('/account')}>
                {t('menu.account')}
              </DropdownMenu.Item>
              <DropdownMenu.Separator className="my-1 h-px bg-line" />
            </>
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
