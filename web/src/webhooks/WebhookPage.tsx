/** One webhook: its settings, its secret, and what was sent to it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate, useParams } from 'react-router'
import { Page } from '@/admin/Page.tsx'
import { api, data, type Schemas } from '@/api/client.ts'
import { day } from '@/i18n/format.ts'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { ifMatch } from '@/ui/form.tsx'
import { Button, Failure, Panel, Skeleton } from '@/ui/index.tsx'
import { usePages } from '@/ui/pages.ts'
import { ShownOnce } from '@/ui/ShownOnce.tsx'
import { toast } from '@/ui/toast.tsx'
import { Deliveries } from './Deliveries.tsx'
import { WebhookForm } from './WebhookForm.tsx'

type Webhook = Schemas['Webhook']

export function WebhookPage() {
  const { t } = useTranslation()
  const { id = '' } = useParams()
  const hook = useQuery({
    queryKey: ['webhooks', id],
    queryFn: () => data(api.GET('/v1/webhooks/{id}', { params: { path: { id } } })),
  })
  const all = (
    <Button kind="quiet" asChild>
      <Link to="..">{t('webhooks.all')}</Link>
    </Button>
  )
  return (
    <Page title={t('webhooks.one')} acts={all}>
      {hook.error ? (
        <Failure error={hook.error} retry={() => void hook.refetch()} />
      ) : hook.data === undefined ? (
        <Skeleton className="h-40" />
      ) : (
        <One hook={hook.data} refresh={() => void hook.refetch()} />
      )}
    </Page>
  )
}

function One({ hook, refresh }: { hook: Webhook; refresh: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const take = (now: Webhook) => {
    client.setQueryData(['webhooks', hook.id], now)
    void client.invalidateQueries({ queryKey: ['webhooks'], exact: true })
  }
  const patch = async (now: Webhook, body: Schemas['WebhookPatch']) => {
    const params = { path: { id: hook.id }, header: ifMatch(now.version) }
    const changed = await data(api.PATCH('/v1/webhooks/{id}', { params, body }))
    take(changed)
    return changed
  }
  const rows = usePages(['webhooks', hook.id, 'deliveries'], (query) =>
    data(api.GET('/v1/webhooks/{id}/deliveries', { params: { path: { id: hook.id }, query } })),
  )
  return (
    <>
      <Secret hook={hook} onChange={refresh} />
      <Panel className="p-4">
        <WebhookForm
          key={hook.version}
          action={t('set.save')}
          values={{ url: hook.url, description: hook.description ?? '', events: hook.events }}
          onRefresh={refresh}
          save={async ({ description, ...body }) => {
            await patch(hook, { ...body, ...(description && { description }) })
            toast(t('set.saved'))
          }}
        />
      </Panel>
      <Deliveries
        rows={rows}
        title={t('webhooks.deliveries')}
        onRetried={() => void client.invalidateQueries({ queryKey: ['webhooks', hook.id, 'deliveries'] })}
      />
      <State hook={hook} patch={patch} />
    </>
  )
}

type StateProps = { hook: Webhook; patch: (now: Webhook, body: Schemas['WebhookPatch']) => Promise<Webhook> }
function State({ hook, patch }: StateProps) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const test = useMutation({
    mutationFn: () => api.POST('/v1/webhooks/{id}/test', { params: { path: { id: hook.id } } }),
    onSuccess: () => {
      toast(t('webhooks.testSent'))
      void client.invalidateQueries({ queryKey: ['webhooks', hook.id, 'deliveries'] })
    },
  })
  const turn = useMutation({
    mutationFn: (status: Webhook['status']) => patch(hook, { status }),
    onSuccess: (now, status) => {
      if (status === 'disabled') toast(t('webhooks.stopped'), () => patch(now, { status: 'enabled' }))
      else toast(t('webhooks.goesOn'))
    },
  })
  const error = test.error ?? turn.error
  return (
    <Panel className="grid grid-cols-1 gap-3 p-4">
      <h2 className="text-lg font-semibold">{t('webhooks.state')}</h2>
      <p>
        <span className={hook.status === 'enabled' ? 'text-good' : 'text-bad'}>
          {hook.status === 'enabled' ? '● ' : '▲ '}
          {t(`webhooks.${hook.status}`)}
        </span>
        {hook.status_reason && (
          <>
            {' · '}
            <bdi>{hook.status_reason}</bdi>
          </>
        )}
      </p>
      {error !== null && <Failure error={error} />}
      <div className="flex flex-wrap gap-2">
        <Button busy={test.isPending} onClick={() => test.mutate()}>
          {t('webhooks.test')}
        </Button>
        {hook.status === 'enabled' ? (
          <Button busy={turn.isPending} onClick={() => turn.mutate('disabled')}>
            {t('webhooks.stop')}
          </Button>
        ) : (
          <Button kind="primary" busy={turn.isPending} onClick={() => turn.mutate('enabled')}>
            {t('webhooks.enable')}
          </Button>
        )}
        <ConfirmButton
          label={t('set.remove')}
          title={t('webhooks.removeTitle')}
          text={t('webhooks.removeMore')}
          action={t('set.remove')}
          onConfirm={async () => {
            await api.DELETE('/v1/webhooks/{id}', { params: { path: { id: hook.id } } })
            toast(t('webhooks.removed'))
            await client.invalidateQueries({ queryKey: ['webhooks'], exact: true })
            navigate('..')
          }}
        />
      </div>
    </Panel>
  )
}

function Secret({ hook, onChange }: { hook: Webhook; onChange: () => void }) {
  const { t } = useTranslation()
  const [secret, setSecret] = useState<string | null>(null)
  return (
    <>
      {secret !== null && (
        <ShownOnce
          title={t('webhooks.secretOf', { url: hook.url })}
          text={t('webhooks.rotated')}
          secret={secret}
          onDone={() => setSecret(null)}
        />
      )}
      <div className="flex flex-wrap items-center gap-3">
        <ConfirmButton
          kind="plain"
          label={t('webhooks.rotate')}
          title={t('webhooks.rotateTitle')}
          text={t('webhooks.rotateMore')}
          action={t('webhooks.rotate')}
          onConfirm={async () => {
            const now = await data(
              api.POST('/v1/webhooks/{id}/secret', { params: { path: { id: hook.id } } }),
            )
            setSecret(now.secret)
            onChange()
          }}
        />
        {hook.old_secret_until && (
          <p className="text-sm text-quiet">{t('webhooks.oldUntil', { at: day(hook.old_secret_until) })}</p>
        )}
      </div>
    </>
  )
}
