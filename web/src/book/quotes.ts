/** The quotes of a draft: asked for when its stops are all placed, and again when the person says so. */
import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { api, data, type Schemas } from '@/api/client.ts'
import { useDraftWindow } from '@/later/NowOrLater.tsx'
import { type Draft, goodsOf, isPlaced } from './draft.ts'

export type Quotes = {
  data: Schemas['Quote'][] | undefined
  unfit: Schemas['Vehicle'][] // classes that do not take the goods
  collectMax: number // minor units that may be collected at a stop
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
  const window = useDraftWindow()
  const goods = useSettled(goodsOf(draft))
  const promo = draft.promo?.trim()
  const body = {
    stops,
    ...(goods.length > 0 ? { goods } : {}),
    ...(promo ? { promo_code: promo } : {}),
    ...(window && { pickup_window: window }),
  }
  const query = useQuery({
    queryKey: ['quotes', draft.key, body], // another booking of the same trip has prices of its own
    queryFn: () => data(api.POST('/v1/quotes', { body })),
    enabled: enabled && stops.length >= 2 && stops.length === draft.stops.length,
    staleTime: Number.POSITIVE_INFINITY, // the countdown says when it is over
  })
  return {
    data: query.data?.quotes,
    unfit: query.data?.unfit?.map((u) => u.vehicle) ?? [],
    collectMax: query.data?.collect_max ?? Number.POSITIVE_INFINITY,
    error: query.error,
    isPending: query.isPending && query.fetchStatus !== 'idle',
    again: () => void query.refetch(),
  }
}

/** VALUE once it has not changed for a moment: a price is not asked for with every key. */
function useSettled<T>(value: T): T {
  const key = JSON.stringify(value)
  const [settled, settle] = useState(value)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the value
  useEffect(() => {
    const timer = setTimeout(() => settle(value), 600)
    return () => clearTimeout(timer)
  }, [key])
  return settled
}
