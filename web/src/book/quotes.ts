/** The quotes of a draft: asked for when its stops are all placed, and again when the person says so. */
import { useQuery } from '@tanstack/react-query'
import { api, data, type Schemas } from '@/api/client.ts'
import { type Draft, isPlaced } from './draft.ts'

export type Quotes = {
  data: Schemas['Quote'][] | undefined
  error: unknown
  isPending: boolean
  again: () => void
}

export function useQuotes(draft: Draft, enabled: boolean): Quotes {
  const stops = draft.stops.filter(isPlaced).map((s) => ({
    lat: s.lat,
    lng: s.lng,
    ...(s.address.trim() ? { address: s.address.trim() } : {}),
  }))
  const query = useQuery({
    queryKey: ['quotes', draft.key, stops], // another booking of the same trip has prices of its own
    queryFn: () => data(api.POST('/v1/quotes', { body: { stops } })).then((answer) => answer.quotes),
    enabled: enabled && stops.length >= 2 && stops.length === draft.stops.length,
    staleTime: Number.POSITIVE_INFINITY, // the countdown says when it is over
  })
  return {
    data: query.data,
    error: query.error,
    isPending: query.isPending && query.fetchStatus !== 'idle',
    again: () => void query.refetch(),
  }
}
