/** How one signs in: password, second factor, and where one is signed in now. */
import { zodResolver } from '@hookform/resolvers/zod'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import { Page } from '@/admin/Page.tsx'
import { api, data, type Schemas } from '@/api/client.ts'
import { day } from '@/i18n/format.ts'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { placeErrors, SaveFailure, useSaid } from '@/ui/form.tsx'
import { Button, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { toast } from '@/ui/toast.tsx'
import { deviceOf } from './device.ts'
import { SecondFactor } from './SecondFactor.tsx'

export default function SecurityPage() {
  const { t } = useTranslation()
  return (
    <Page title={t('account.security')}>
      <Password />
      <SecondFactor />
      <Sessions />
    </Page>
  )
}

const schema = z.object({
  password: z.string().min(1, 'invalid.required'),
  new_password: z.string().min(8, 'invalid.password').max(128, 'invalid.long'),
})

function Password() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [rest, setRest] = useState<unknown>(null)
  const form = useForm<z.infer<typeof schema>>({
    resolver: zodResolver(schema),
    defaultValues: { password: '', new_password: '' },
  })
  const said = useSaid(form)
  const submit = form.handleSubmit(async (body) => {
    setRest(null)
    try {
      await api.POST('/v1/me/password', { body })
      form.reset()
      toast(t('account.passwordSet'))
      void client.invalidateQueries({ queryKey: ['sessions'] })
    } catch (refusal) {
      setRest(placeErrors(form, refusal))
    }
  })
  return (
    <Panel className="p-4">
      <form
        onSubmit={submit}
        noValidate
        className="grid grid-cols-1 gap-4"
        aria-label={t('account.changePassword')}
      >
        <h2 className="text-lg font-semibold">{t('field.password')}</h2>
        <p className="text-sm text-quiet">{t('account.passwordMore')}</p>
        <Field
          label={t('account.password')}
          type="password"
          dir="ltr"
          autoComplete="current-password"
          error={said('password')}
          {...form.register('password')}
        />
        <Field
          label={t('reset.password')}
          hint={t('field.passwordHint')}
          type="password"
          dir="ltr"
          autoComplete="new-password"
          error={said('new_password')}
          {...form.register('new_password')}
        />
        <SaveFailure error={rest} />
        <div>
          <Button type="submit" busy={form.formState.isSubmitting}>
            {t('account.changePassword')}
          </Button>
        </div>
      </form>
    </Panel>
  )
}

function Sessions() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const list = useQuery({
    queryKey: ['sessions'],
    queryFn: () => data(api.GET('/v1/me/sessions', { params: { query: { limit: 200 } } })),
  })
  const others = list.data?.items.filter((s) => !s.current) ?? []
  return (
    <Panel className="grid grid-cols-1 gap-3 p-4">
      <h2 className="text-lg font-semibold">{t('account.sessions')}</h2>
      {list.isPending && <Skeleton className="h-16" />}
      {list.error && <Failure error={list.error} retry={() => void list.refetch()} />}
      <ul className="grid grid-cols-1 gap-2">
        {list.data?.items.map((session) => (
          <One key={session.id} session={session} />
        ))}
      </ul>
      {others.length > 0 && (
        <div>
          <ConfirmButton
            label={t('account.endOthers')}
            title={t('account.endOthersTitle')}
            text={t('account.endOthersMore', { count: others.length })}
            action={t('account.endOthers')}
            onConfirm={async () => {
              await api.DELETE('/v1/me/sessions')
              await client.invalidateQueries({ queryKey: ['sessions'] })
              toast(t('account.ended'))
            }}
          />
        </div>
      )}
    </Panel>
  )
}

/** Its short name; all that it says of itself for whoever wants to know. */
function DeviceName({ agent }: { agent: string | null }) {
  const { t } = useTranslation()
  const device = deviceOf(agent ?? '')
  const name =
    device === null
      ? t('account.unknownDevice')
      : device.system === null
        ? device.name
        : t('account.deviceOn', { name: device.name, system: device.system })
  return (
    <>
      <p className="break-words">
        <bdi>{name}</bdi>
      </p>
      {agent && agent !== name && (
        <details className="text-sm text-quiet">
          <summary className="min-h-compact content-center">{t('account.deviceMore')}</summary>
          <bdi dir="ltr" className="wrap-anywhere">
            {agent}
          </bdi>
        </details>
      )}
    </>
  )
}

function One({ session }: { session: Schemas['OpenSession'] }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [error, setError] = useState<unknown>(null)
  async function end() {
    setError(null)
    try {
      await api.DELETE('/v1/me/sessions/{id}', { params: { path: { id: session.id } } })
      await client.invalidateQueries({ queryKey: ['sessions'] })
      toast(t('account.ended'))
    } catch (refusal) {
      setError(refusal)
    }
  }
  return (
    <li className="flex flex-wrap items-center gap-3 border-t border-line pt-2">
      <div className="min-w-0 grow basis-60">
        <DeviceName agent={session.device} />
        <p className="text-sm text-quiet">
          {t('account.lastUsed', { at: day(session.last_used_at) })} ·{' '}
          {t('account.since', { at: day(session.created_at) })}
        </p>
        {error !== null && <Failure error={error} />}
      </div>
      {session.current ? (
        <span className="text-sm text-good">● {t('account.here')}</span>
      ) : (
        <Button onClick={() => void end()}>{t('account.end')}</Button>
      )}
    </li>
  )
}
