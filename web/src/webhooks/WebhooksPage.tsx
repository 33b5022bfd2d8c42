/** Where events are sent to: one's own webhooks, what was sent to each, and for an admin all that leaves the house. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, Route, Routes } from 'react-router'
import { Page } from '@/admin/Page.tsx'
import { api, data, type Schemas } from '@/api/client.ts'
import { useUser } from '@/app/hooks.ts'
import { Button, Empty, Failure, Panel, Skeleton } from '@/ui/index.tsx'
import { ShownOnce } from '@/ui/ShownOnce.tsx'
import { AllDeliveries } from './Deliveries.tsx'
import { WebhookForm } from './WebhookForm.tsx'
import { WebhookPage } from './WebhookPage.tsx'

export default function WebhooksPage() {
  const admin = useUser()?.role === 'admin'
  return (
    <Routes>
      <Route index element={<List />} />
      {admin && <Route path="all" element={<AllDeliveries />} />}
      <Route path=":id" element={<WebhookPage />} />
    </Routes>
  )
}

function List() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const admin = useUser()?.role === 'admin'
  const [making, setMaking] = useState(false)
  const [made, setMade] = useState<Schemas['WebhookWithSecret'] | null>(null)
  const hooks = useQuery({
    queryKey: ['webhooks'],
    queryFn: () => data(api.GET('/v1/webhooks', { params: { query: { limit: 200 } } })),
  })
  return (
    <Page
      title={t('webhooks.title')}
      lead={t(admin ? 'webhooks.leadAdmin' : 'webhooks.lead')}
      acts={
        <>
          {admin && (
            <Button asChild>
              <Link to="all">{t('webhooks.allOut')}</Link>
            </Button>
          )}
          {!making && (
            <Button kind="primary" onClick={() => setMaking(true)}>
              {t('webhooks.make')}
            </Button>
          )}
        </>
      }
    >
      {made && (
        <ShownOnce
          title={t('webhooks.secretOf', { url: made.url })}
          text={t('webhooks.once')}
          secret={made.secret}
          onDone={() => setMade(null)}
        />
      )}
      {making && (
        <Panel className="p-4">
          <WebhookForm
            action={t('webhooks.make')}
            onCancel={() => setMaking(false)}
            save={async ({ description, ...body }) => {
              const made = await data(
                api.POST('/v1/webhooks', { body: { ...body, ...(description && { description }) } }),
              )
              setMade(made)
              setMaking(false)
              await client.invalidateQueries({ queryKey: ['webhooks'] })
            }}
          />
        </Panel>
      )}
      {hooks.isPending && <Skeleton className="h-24" />}
      {hooks.error && <Failure error={hooks.error} retry={() => void hooks.refetch()} />}
      {hooks.data?.items.length === 0 && !making && <Empty>{t('webhooks.none')}</Empty>}
      <ul className="grid grid-cols-1 gap-2">
        {hooks.data?.items.map((hook) => (
          <li key={hook.id}>
            <Link
              to={hook.id}
              className="block rounded-panel border border-line bg-panel p-3 hover:border-quiet"
            >
              <span className="block font-semibold break-all">
                <bdi dir="ltr">{hook.url}</bdi>
              </span>
              {hook.description && <bdi className="block">{hook.description}</bdi>}
              <span className={hook.status === 'enabled' ? 'text-sm text-good' : 'text-sm text-bad'}>
                {hook.status === 'enabled' ? '● ' : '▲ '}
                {t(`webhooks.${hook.status}`)}
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Page>
  )
}
