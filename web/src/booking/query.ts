/** One booking, as it is asked for and kept. */
import { queryOptions } from '@tanstack/react-query'
import { api, data } from '@/api/client.ts'

export const bookingQuery = (id: string) =>
  queryOptions({
    queryKey: ['booking', id],
    queryFn: () => data(api.GET('/v1/bookings/{id}', { params: { path: { id } } })),
  })
