/** A driver who is to be asked first the next time, or is no more; and whether the booking at hand asks for that. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { useDraft } from '@/book/draft.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Button, Failure } from '@/ui/index.tsx'

export const words = () => loadWords('favourites')

const KEY = ['favourite drivers']
const useFavourites = () =>
  useQuery({ queryKey: KEY, queryFn: () => data(api.GET('/v1/me/favourite-drivers')) })

type Props = { booking: Schemas['Booking'] & { driver: { id: string; name: string | null } } }
export function FavouriteButton({ booking }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const favourites = useFavourites()
  const { id, name } = booking.driver
  const is = favourites.data?.items.some((f) => f.driver_id === id) ?? false
  const toggle = useMutation({
    mutationFn: async () => {
      const path = { params: { path: { id } } }
      if (is) await api.DELETE('/v1/me/favourite-drivers/{id}', path)
      else await api.PUT('/v1/me/favourite-drivers/{id}', { ...path, body: { booking_id: booking.id } })
    },
    onSettled: () => client.invalidateQueries({ queryKey: KEY }),
  })
  if (favourites.data === undefined) return null
  return (
    <div className="grid justify-items-start gap-2">
      <Button aria-pressed={is} busy={toggle.isPending} onClick={() => toggle.mutate()}>
        <span aria-hidden>{is ? '★' : '☆'}</span> {t('favourites.ask', { name: name ?? t('booking.driver') })}
      </Button>
      {toggle.error !== null && <Failure error={toggle.error} />}
    </div>
  )
}

/** Shown to whoever has any. */
export function PreferFavourites() {
  const { t } = useTranslation()
  const [draft, change] = useDraft()
  const favourites = useFavourites()
  if (!favourites.data?.items.length) return null
  return (
    <label className="flex min-h-touch items-center gap-2">
      <input
        type="checkbox"
        className="size-5 shrink-0 accent-(--accent)"
        checked={draft.prefer ?? false}
        onChange={(e) => change({ prefer: e.target.checked })}
      />
      {t('favourites.prefer')}
    </label>
  )
}
