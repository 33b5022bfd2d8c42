/** One's own API keys: for programs that act with one's role, as far as their scopes go. */
import { zodResolver } from '@hookform/resolvers/zod'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import { Page } from '@/admin/Page.tsx'
import { api, data, type Schemas } from '@/api/client.ts'
import { useUser } from '@/app/hooks.ts'
import { day, latinDigits } from '@/i18n/format.ts'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { CheckField, placeErrors, SaveFailure, useSaid } from '@/ui/form.tsx'
import { Button, Empty, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { ShownOnce } from '@/ui/ShownOnce.tsx'
import { toast } from '@/ui/toast.tsx'

type Key = Schemas['ApiKey']
type Area = Schemas['Scope'] extends infer S ? (S extends `${infer A}:read` ? A : never) : never
/** A key can do no more than its owner: what his role has no use for is not offered. */
const areas: Record<Schemas['User']['role'], Area[]> = {
  customer: ['bookings', 'notifications', 'places'],
  driver: ['driving', 'bookings', 'notifications', 'places'],
  dispatcher: ['bookings', 'fleet', 'notifications', 'places', 'reports'],
  admin: ['bookings', 'fleet', 'notifications', 'places', 'users', 'audit', 'reports'],
}
const readOnly: Area[] = ['audit', 'reports'] // nothing is written there

export default function KeysPage() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [making, setMaking] = useState(false)
  const [made, setMade] = useState<Schemas['NewApiKey'] | null>(null)
  const keys = useQuery({
    queryKey: ['api-keys'],
    queryFn: () => data(api.GET('/v1/api-keys', { params: { query: { limit: 200 } } })),
  })
  return (
    <Page
      title={t('apikeys.title')}
      lead={t('apikeys.lead')}
      acts={
        !making && (
          <Button kind="primary" onClick={() => setMaking(true)}>
            {t('apikeys.make')}
          </Button>
        )
      }
    >
      {made && (
        <ShownOnce
          title={t('apikeys.made', { name: made.name })}
          text={t('apikeys.once')}
          secret={made.key}
          onDone={() => setMade(null)}
        />
      )}
      {making && (
        <NewKey
          onCancel={() => setMaking(false)}
          onMade={(key) => {
            setMade(key)
            setMaking(false)
            void client.invalidateQueries({ queryKey: ['api-keys'] })
          }}
        />
      )}
      {keys.isPending && <Skeleton className="h-24" />}
      {keys.error && <Failure error={keys.error} retry={() => void keys.refetch()} />}
      {keys.data?.items.length === 0 && !making && <Empty>{t('apikeys.none')}</Empty>}
      <ul className="grid grid-cols-1 gap-2">
        {keys.data?.items.map((key) => (
          <One key={key.id} of={key} />
        ))}
      </ul>
    </Page>
  )
}

function One({ of: key }: { of: Key }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const over = Date.parse(key.expires_at) < Date.now()
  return (
    <li>
      <Panel className="flex flex-wrap items-center gap-3 p-3">
        <div className="min-w-0 grow basis-60">
          <h2 className="font-semibold">
            <bdi>{key.name}</bdi>
          </h2>
          <p className="text-sm break-all text-quiet">
            <code dir="ltr">{key.begins}…</code>
          </p>
          <p className="text-sm">
            <bdi>{key.scopes.join(', ')}</bdi>
          </p>
          <p className="text-sm text-quiet">
            {key.last_used_at ? t('apikeys.used', { at: day(key.last_used_at) }) : t('apikeys.unused')} ·{' '}
            <span className={over ? 'text-bad' : undefined}>
              {t(over ? 'apikeys.over' : 'apikeys.until', { at: day(key.expires_at) })}
            </span>
          </p>
        </div>
        <ConfirmButton
          label={t('apikeys.revoke')}
          title={t('apikeys.revokeTitle', { name: key.name })}
          text={t('apikeys.revokeMore')}
          action={t('apikeys.revoke')}
          onConfirm={async () => {
            await api.DELETE('/v1/api-keys/{id}', { params: { path: { id: key.id } } })
            toast(t('apikeys.revoked', { name: key.name }))
            await client.invalidateQueries({ queryKey: ['api-keys'] })
          }}
        />
      </Panel>
    </li>
  )
}

const schema = z.object({
  name: z.string().trim().min(1, 'invalid.required').max(100, 'invalid.long'),
  expires_in_days: z
    .string()
    .trim()
    .overwrite(latinDigits)
    .regex(/^\d{1,4}$/, 'set.invalid.whole'),
  scopes: z.array(z.string()).min(1, 'set.invalid.choice'),
})
type Values = z.infer<typeof schema>

function NewKey({ onMade, onCancel }: { onMade: (key: Schemas['NewApiKey']) => void; onCancel: () => void }) {
  const { t } = useTranslation()
  const user = useUser()
  const [rest, setRest] = useState<unknown>(null)
  const form = useForm<Values>({
    resolver: zodResolver(schema),
    defaultValues: { name: '', expires_in_days: '365', scopes: [] },
  })
  const said = useSaid(form)
  const submit = form.handleSubmit(async ({ name, expires_in_days, scopes }) => {
    setRest(null)
    try {
      const body = { name, scopes, expires_in_days: Number(expires_in_days) }
      onMade(await data(api.POST('/v1/api-keys', { body })))
    } catch (refusal) {
      setRest(placeErrors(form, refusal))
    }
  })
  return (
    <Panel className="p-4">
      <form onSubmit={submit} noValidate className="grid grid-cols-1 gap-4" aria-label={t('apikeys.make')}>
        <Field
          label={t('apikeys.name')}
          hint={t('apikeys.nameHint')}
          error={said('name')}
          {...form.register('name')}
        />
        <Field
          label={t('apikeys.days')}
          inputMode="numeric"
          dir="ltr"
          className="max-w-48"
          error={said('expires_in_days')}
          {...form.register('expires_in_days')}
        />
        <fieldset className="grid grid-cols-1 gap-1">
          <legend className="text-sm font-medium">{t('apikeys.scopes')}</legend>
          {said('scopes') && (
            <p role="alert" className="text-sm text-bad">
              {said('scopes')}
            </p>
          )}
          <div className="grid grid-cols-1 gap-x-4 sm:grid-cols-2">
            {areas[user?.role ?? 'customer'].flatMap((area) =>
              (['read', 'write'] as const)
                .filter((what) => what === 'read' || !readOnly.includes(area))
                .map((what) => (
                  <CheckField
                    key={`${area}:${what}`}
                    label={t(`apikeys.${what}`, { what: t(`apikeys.area.${area}`) })}
                    value={`${area}:${what}`}
                    {...form.register('scopes')}
                  />
                )),
            )}
          </div>
        </fieldset>
        <SaveFailure error={rest} />
        <div className="flex flex-wrap gap-2">
          <Button kind="primary" type="submit" busy={form.formState.isSubmitting}>
            {t('apikeys.make')}
          </Button>
          <Button onClick={onCancel}>{t('set.cancel')}</Button>
        </div>
      </form>
    </Panel>
  )
}
