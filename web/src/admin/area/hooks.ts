import { useQuery } from '@tanstack/react-query'
import { api } from '@/api/client.ts'
import { readGeoJson, type Shape } from './shape.ts'

/** The version that counts, or the one that is named; with it the ETag, which is of the newest there is. */
export function useArea(version?: number) {
  return useQuery({
    queryKey: ['area', version ?? 'now'],
    queryFn: async () => {
      const params = { query: { ...(version !== undefined && { version }) } }
      const { data, response } = await api.GET('/v1/service-area', { params })
      const shape: Shape = data?.area ? (readGeoJson(data.area) ?? []) : []
      return {
        version: data?.version ?? 1,
        at: data?.updated_at ?? null,
        by: data?.updated_by ?? null,
        shape,
        newest: response.headers.get('ETag') ?? '*',
      }
    },
  })
}
