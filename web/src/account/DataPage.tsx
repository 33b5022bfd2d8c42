/** What is known of one, to take along. */
import { useMutation } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { save } from '@/admin/audit/csv.ts'
import { Page } from '@/admin/Page.tsx'
import { api, data } from '@/api/client.ts'
import { Button, Failure, Panel } from '@/ui/index.tsx'
import { Erase } from './Erase.tsx'

export default function DataPage() {
  const { t } = useTranslation()
  const take = useMutation({
    mutationFn: () => data(api.GET('/v1/me/export')),
    onSuccess: (all) => save('lorry-account.json', `${JSON.stringify(all, null, 2)}\n`, 'application/json'),
  })
  return (
    <Page title={t('account.data')}>
      <Panel className="grid grid-cols-1 gap-3 p-4">
        <h2 className="text-lg font-semibold">{t('account.export')}</h2>
        <p>{t('account.exportMore')}</p>
        {take.error && <Failure error={take.error} retry={() => take.mutate()} />}
        {take.isSuccess && <p role="status">{t('account.exported')}</p>}
        <div>
          <Button busy={take.isPending} onClick={() => take.mutate()}>
            {t('account.exportDo')}
          </Button>
        </div>
      </Panel>
      <Erase />
    </Page>
  )
}
