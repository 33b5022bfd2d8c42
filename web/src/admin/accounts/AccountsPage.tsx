/** Everybody's accounts: who there is, and what may be changed of each. */
import { useTranslation } from 'react-i18next'
import { Route, Routes, useNavigate, useSearchParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { day } from '@/i18n/format.ts'
import { Empty } from '@/ui/index.tsx'
import { usePages } from '@/ui/pages.ts'
import { type Column, Table } from '@/ui/Table.tsx'
import { Page } from '../Page.tsx'
import { AccountPage } from './AccountPage.tsx'
import { Invite } from './Invite.tsx'

type User = Schemas['User']
export const roles = ['customer', 'driver', 'dispatcher', 'admin'] as const

export default function AccountsPage() {
  return (
    <Routes>
      <Route index element={<List />} />
      <Route path=":id" element={<AccountPage />} />
    </Routes>
  )
}

function List() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [query, setQuery] = useSearchParams()
  const role = roles.find((r) => r === query.get('role'))
  const rows = usePages(['users', role ?? 'all'], (paging) =>
    data(api.GET('/v1/users', { params: { query: { ...paging, ...(role && { role }) } } })),
  )
  const setRole = (value: string) =>
    setQuery(
      (before) => {
        const next = new URLSearchParams(before)
        value ? next.set('role', value) : next.delete('role')
        return next
      },
      { replace: true },
    )
  const state = (u: User) =>
    t(u.disabled ? 'accounts.disabled' : u.email_verified ? 'accounts.confirmed' : 'accounts.unconfirmed')
  const columns: Column<User>[] = [
    { id: 'name', head: t('field.name'), value: (u) => u.name, cell: (u) => <bdi>{u.name}</bdi> },
    {
      id: 'email',
      head: t('field.email'),
      value: (u) => u.email,
      cell: (u) => <bdi dir="ltr">{u.email}</bdi>,
      wide: true,
    },
    {
      id: 'role',
      head: t('accounts.role'),
      value: (u) => t(`actor.${u.role}`),
      cell: (u) => t(`actor.${u.role}`),
      width: '9rem',
    },
    { id: 'state', head: t('accounts.state'), value: state, cell: state, wide: true, width: '11rem' },
    {
      id: 'since',
      head: t('accounts.since'),
      value: (u) => u.created_at,
      cell: (u) => day(u.created_at),
      wide: true,
      width: '12rem',
    },
  ]
  return (
    <Page title={t('admin.nav.accounts')} acts={<Invite />}>
      <Table
        label={t('admin.nav.accounts')}
        columns={columns}
        rows={rows}
        keyOf={(u) => u.id}
        onOpen={(u) => navigate(u.id)}
        search={t('accounts.search')}
        filtered={role !== undefined}
        onClear={() => setRole('')}
        filters={
          <select
            aria-label={t('accounts.role')}
            className="min-h-touch rounded-control border border-line bg-panel px-3"
            value={role ?? ''}
            onChange={(event) => setRole(event.target.value)}
          >
            <option value="">{t('accounts.everyRole')}</option>
            {roles.map((r) => (
              <option key={r} value={r}>
                {t(`actor.${r}`)}
              </option>
            ))}
          </select>
        }
        empty={<Empty>{t('accounts.none')}</Empty>}
      />
    </Page>
  )
}
