/** The button that opens the account's menu. */
import type { ComponentProps } from 'react'
import { useTranslation } from 'react-i18next'
import { useUser } from './hooks.ts'

export function AccountFace(props: ComponentProps<'button'>) {
  const { t } = useTranslation()
  const user = useUser()
  return (
    <button
      type="button"
      className="flex size-touch items-center justify-center rounded-control"
      aria-label={t('menu.label')}
      {...props}
    >
      <span
        aria-hidden
        className="flex size-8 items-center justify-center rounded-panel bg-raised text-sm font-semibold"
      >
        {user?.name.slice(0, 1).toUpperCase() ?? '☰'}
      </span>
    </button>
  )
}
