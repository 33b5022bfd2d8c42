/** Lists that come page by page, as a table wants them. */
import { type QueryKey, useInfiniteQuery } from '@tanstack/react-query'
import { useMemo } from 'react'

export type Rows<T> = {
  items: T[]
  pending: boolean
  error: unknown
  /** There is more than was asked for yet. */
  more: boolean
  fetching: boolean
  fetchMore: () => void
  retry: () => void
}
export const PAGE = 200
export const ROWS_MAX = 20_000
type Page<T> = { items: T[]; next_cursor: string | null }

/** GET asks for the page behind a cursor; without one, for the first. */
export function usePages<T>(
  key: QueryKey,
  get: (paging: { limit: number; cursor?: string }) => Promise<Page<T>>,
  limit = PAGE,
): Rows<T> {
  const list = useInfiniteQuery({
    queryKey: [...key, 'pages'],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) => get({ limit, ...(pageParam !== null && { cursor: pageParam }) }),
    getNextPageParam: (page, pages) => (pages.length * limit < ROWS_MAX ? page.next_cursor : null),
  })
  const items = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data])
  return {
    items,
    pending: list.isPending,
    error: list.error,
    more: list.hasNextPage,
    fetching: list.isFetchingNextPage,
    fetchMore: () => {
      if (list.hasNextPage && !list.isFetching) void list.fetchNextPage()
    },
    retry: () => void (list.isFetchNextPageError ? list.fetchNextPage() : list.refetch()),
  }
}

/** Rows that are all there. */
export function allRows<T>(
  items: T[] | undefined,
  query?: { isPending: boolean; error: unknown; refetch: () => unknown },
): Rows<T> {
  return {
    items: items ?? [],
    pending: query?.isPending ?? false,
    error: query?.error ?? null,
    more: false,
    fetching: false,
    fetchMore: () => undefined,
    retry: () => void query?.refetch(),
  }
}
