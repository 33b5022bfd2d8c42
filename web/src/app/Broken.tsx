/** What stands there when a page cannot go on: what happened, what is safe, what to do. */
import { useTranslation } from 'react-i18next'
import { Button, Empty } from '@/ui/index.tsx'

export function Broken() {
  const { t } = useTranslation()
  return (
    <main role="alert">
      <h1 className="sr-only">Lorry</h1>
      <Empty
        action={
          <Button kind="primary" onClick={() => window.location.reload()}>
            {t('retry')}
          </Button>
        }
      >
        {t('problem.unknown')}
      </Empty>
    </main>
  )
}
