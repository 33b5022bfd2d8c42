/** One account: its role, whether it may sign in, its second factor. The last administrator stays; the server sees to that. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate, useParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { useUser } from '@/app/hooks.ts'
import { day } from '@/i18n/format.ts'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { ifMatch, SaveFailure, SelectField } from '@/ui/form.tsx'
import { Button, Failure, Panel, Skeleton } from '@/ui/index.tsx'
import { toast } from '@/ui/toast.tsx'
import { Page } from '../Page.tsx'
import { roles } from './AccountsPage.tsx'

type User = Schemas['User']

export function AccountPage() {
  const { t } = useTranslation()
  const { id = '' } = useParams()
  const user = useQuery({
    queryKey: ['users', id],
    queryFn: () => data(api.GET('/v1/users/{id}', { params: { path: { id } } })),
    staleTime: 0,
  })
  if (user.error)
    return (
      <Page title={t('accounts.one')}>
        <Failure error={user.error} retry={() => void user.refetch()} />
      </Page>
    )
  if (user.data === undefined) return <Skeleton className="m-4 h-40" />
  return <Account user={user.data} refresh={() => void user.refetch()} />
}

function Account({ user, refresh }: { user: User; refresh: () => void }) {
  const { t } = useTranslation()
  const me = useUser()
  return (
    <Page
      title={<bdi>{user.name}</bdi>}
      acts={
        <Button asChild kind="quiet">
          <Link to="/admin/accounts">{t('accounts.all')}</Link>
        </Button>
      }
    >
      <Panel className="p-4">
        <dl className="grid gap-x-6 gap-y-2 sm:grid-cols-[auto_1fr]">
          <Fact name={t('field.email')}>
            <bdi dir="ltr">{user.email}</bdi> ·{' '}
            {t(user.email_verified ? 'accounts.confirmed' : 'accounts.unconfirmed')}
          </Fact>
          <Fact name={t('field.phone')}>
            <bdi dir="ltr">{user.phone ?? '—'}</bdi>
          </Fact>
          <Fact name={t('accounts.since')}>{day(user.created_at)}</Fact>
          <Fact name={t('accounts.state')}>
            {t(user.disabled ? 'accounts.disabled' : 'accounts.enabled')}
          </Fact>
          <Fact name="ID">
            <bdi dir="ltr" className="break-all">
              {user.id}
            </bdi>
          </Fact>
        </dl>
      </Panel>
      {user.id === me?.id && <p className="text-quiet">{t('accounts.you')}</p>}
      <Acts user={user} refresh={refresh} />
      <p className="flex flex-wrap gap-4">
        <Link className="text-accent underline" to={`/admin/audit?subject=${user.id}`}>
          {t('accounts.auditOn')}
        </Link>
        <Link className="text-accent underline" to={`/admin/audit?actor=${user.id}`}>
          {t('accounts.auditBy')}
        </Link>
      </p>
    </Page>
  )
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt className="text-sm text-quiet">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  )
}

function Acts({ user, refresh }: { user: User; refresh: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const take = (changed: User) => {
    client.setQueryData(['users', user.id], changed)
    void client.invalidateQueries({ queryKey: ['users'] })
  }
  const patch = async (now: User, body: Schemas['UserPatch']) => {
    const params = { path: { id: now.id }, header: ifMatch(now.version) }
    const changed = await data(api.PATCH('/v1/users/{id}', { params, body }))
    take(changed)
    return changed
  }
  const role = useMutation({
    mutationFn: (to: User['role']) => patch(user, { role: to }),
    onSuccess: (changed) =>
      toast(t('accounts.roleSet', { name: user.name, role: t(`actor.${changed.role}`) }), () =>
        patch(changed, { role: user.role }),
      ),
  })
  const enable = useMutation({ mutationFn: () => patch(user, { disabled: false }) })
  return (
    <Panel className="grid gap-4 p-4">
      <SelectField
        label={t('accounts.role')}
        hint={t('accounts.roleHint')}
        className="max-w-sm"
        value={role.isPending ? role.variables : user.role}
        disabled={role.isPending}
        onChange={(event) => role.mutate(event.target.value as User['role'])}
      >
        {roles.map((r) => (
          <option key={r} value={r}>
            {t(`actor.${r}`)}
          </option>
        ))}
      </SelectField>
      <SaveFailure
        error={role.error ?? enable.error}
        onRefresh={() => {
          role.reset()
          enable.reset()
          refresh()
        }}
      />
      <div className="flex flex-wrap gap-2">
        {user.disabled ? (
          <Button busy={enable.isPending} onClick={() => enable.mutate()}>
            {t('accounts.enable')}
          </Button>
        ) : (
          <ConfirmButton
            label={t('accounts.disable')}
            title={t('accounts.disableTitle', { name: user.name })}
            text={t('accounts.disableMore')}
            action={t('accounts.disable')}
            onConfirm={async () => {
              const changed = await patch(user, { disabled: true })
              toast(t('accounts.disabledNow', { name: user.name }), () => patch(changed, { disabled: false }))
            }}
          />
        )}
        <ConfirmButton
          label={t('accounts.erase')}
          title={t('accounts.eraseTitle', { name: user.name })}
          text={t('accounts.eraseMore')}
          action={t('accounts.erase')}
          onConfirm={async () => {
            await api.DELETE('/v1/users/{id}', { params: { path: { id: user.id } } })
            toast(t('accounts.erased'))
            await client.invalidateQueries({ queryKey: ['users'] })
            navigate('/admin/accounts')
          }}
        />
        {user.second_factor && (
          <ConfirmButton
            label={t('accounts.resetFactor')}
            title={t('accounts.resetTitle', { name: user.name })}
            text={t('accounts.resetMore')}
            action={t('accounts.resetFactor')}
            onConfirm={async () => {
              await api.DELETE('/v1/users/{id}/second-factor', { params: { path: { id: user.id } } })
              toast(t('accounts.resetDone', { name: user.name }))
              refresh()
            }}
          />
        )}
      </div>
    </Panel>
  )
}
