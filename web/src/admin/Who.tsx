/** The name behind an account's id, and the way to it; whoever may not read accounts sees the id. */
import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { api, data } from '@/api/client.ts'
import { useUser } from '@/app/hooks.ts'

export function Who({ id }: { id: string | null | undefined }) {
  const may = useUser()?.role === 'admin' && id?.startsWith('usr_') === true
  const user = useQuery({
    queryKey: ['users', id],
    queryFn: () => data(api.GET('/v1/users/{id}', { params: { path: { id: id as string } } })),
    enabled: may,
    staleTime: 60_000,
    retry: false,
  })
  if (!id) return '—'
  if (!may) return <bdi dir="ltr">{id}</bdi>
  return (
    <Link className="text-accent underline" to={`/admin/accounts/${id}`}>
      <bdi>{user.data?.name ?? id}</bdi>
    </Link>
  )
}
