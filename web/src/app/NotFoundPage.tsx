import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { Button, Empty } from '@/ui/index.tsx'

export function Component() {
  const { t } = useTranslation()
  return (
    <Empty
      alone
      action={
        <Button asChild>
          <Link to="/">{t('notFound.do')}</Link>
        </Button>
      }
    >
      {t('notFound.say')}
    </Empty>
  )
}
