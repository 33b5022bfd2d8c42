import { useTranslation } from 'react-i18next'
import { Empty } from '@/ui/index.tsx'

/** Where roles go whose face is not built yet. */
export function Component() {
  const { t } = useTranslation()
  return <Empty>{t('notYet.say')}</Empty>
}
