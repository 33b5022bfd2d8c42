import { useQuery } from '@tanstack/react-query'
import { api } from '@/api/client.ts'
import type { Tariffs } from './draft.ts'

/** The version that holds, or the one that is named; with it the ETag, which is of the newest there is. */
export function useTariffs(version?: number, enabled = true) {
  return useQuery({
    queryKey: ['tariffs', version ?? 'now', 'whole'],
    queryFn: async () => {
      const params = { query: { ...(version !== undefined && { version }) } }
      const { data, response } = await api.GET('/v1/tariffs', { params })
      return { tariffs: data as Tariffs, newest: response.headers.get('ETag') ?? '*' }
    },
    enabled,
  })
}
