/** The saved places: what they are called, who is there; a name is changed, a place removed and brought back. */
import { zodResolver } from '@hookform/resolvers/zod'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { z } from 'zod'
import { Page } from '@/admin/Page.tsx'
import { api, data, type Schemas } from '@/api/client.ts'
import { latinDigits } from '@/i18n/format.ts'
import { placeErrors, SaveFailure, useSaid } from '@/ui/form.tsx'
import { Button, Empty, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { toast } from '@/ui/toast.tsx'
import { type SavedPlace, useSavedAgain, useSavedPlaces } from './saved.ts'

export default function PlacesPage() {
  const { t } = useTranslation()
  const saved = useSavedPlaces()
  const [open, setOpen] = useState<string | null>(null)
  return (
    <Page title={t('account.places')} lead={t('saved.more')}>
      {saved.error && <Failure error={saved.error} retry={() => void saved.refetch()} />}
      {saved.isPending && <Skeleton className="h-40" />}
      {saved.data?.length === 0 && (
        <Empty
          action={
            <Button asChild>
              <Link to="/book">{t('saved.book')}</Link>
            </Button>
          }
        >
          {t('saved.none')}
        </Empty>
      )}
      <ul className="grid grid-cols-1 gap-3">
        {saved.data?.map((place) => (
          <li key={place.id}>
            <Panel className="p-4">
              {open === place.id ? (
                <Edit place={place} onEnd={() => setOpen(null)} />
              ) : (
                <Row place={place} onEdit={() => setOpen(place.id)} />
              )}
            </Panel>
          </li>
        ))}
      </ul>
    </Page>
  )
}

const bodyOf = ({ label, lat, lng, address, contact }: SavedPlace): Schemas['SavedPlaceRequest'] => ({
  label,
  lat,
  lng,
  ...(address !== undefined && { address }),
  ...(contact !== undefined && { contact }),
})

function Row({ place, onEdit }: { place: SavedPlace; onEdit: () => void }) {
  const { t } = useTranslation()
  const again = useSavedAgain()
  const remove = useMutation({
    mutationFn: () => api.DELETE('/v1/me/places/{id}', { params: { path: { id: place.id } } }),
    onSuccess: async () => {
      toast(t('saved.removed', { label: place.label }), async () => {
        await data(api.POST('/v1/me/places', { body: bodyOf(place) }))
        await again()
      })
      await again()
    },
  })
  const who = [place.contact?.name, place.contact?.phone].filter(Boolean)
  return (
    <div className="flex flex-wrap items-center gap-3">
      <div className="min-w-0 grow basis-48">
        <h2 className="font-semibold break-words">
          <bdi>{place.label}</bdi>
        </h2>
        {place.address && (
          <p className="text-sm text-quiet break-words">
            <bdi>{place.address}</bdi>
          </p>
        )}
        {who.length > 0 && (
          <p className="text-sm text-quiet break-words">
            <bdi>{who.join(' · ')}</bdi>
          </p>
        )}
      </div>
      <div className="flex gap-2">
        <Button aria-label={t('saved.changeOf', { label: place.label })} onClick={onEdit}>
          {t('saved.change')}
        </Button>
        <Button
          kind="quiet"
          busy={remove.isPending}
          aria-label={t('saved.removeOf', { label: place.label })}
          onClick={() => remove.mutate()}
        >
          {t('saved.remove')}
        </Button>
      </div>
      {remove.error !== null && <Failure error={remove.error} />}
    </div>
  )
}

const schema = z.object({
  label: z.string().trim().min(1, 'invalid.required').max(60, 'invalid.long'),
  address: z.string().trim().max(200, 'invalid.long'),
  name: z.string().trim().max(100, 'invalid.long'),
  phone: z
    .string()
    .trim()
    .overwrite(latinDigits)
    .regex(/^$|^.{3,32}$/, 'invalid.phone'),
})

function Edit({ place, onEnd }: { place: SavedPlace; onEnd: () => void }) {
  const { t } = useTranslation()
  const again = useSavedAgain()
  const [rest, setRest] = useState<unknown>(null)
  const form = useForm<z.infer<typeof schema>>({
    resolver: zodResolver(schema),
    defaultValues: {
      label: place.label,
      address: place.address ?? '',
      name: place.contact?.name ?? '',
      phone: place.contact?.phone ?? '',
    },
  })
  const said = useSaid(form)
  const submit = form.handleSubmit(async ({ label, address, name, phone }) => {
    setRest(null)
    const contact = { ...(name && { name }), ...(phone && { phone }) }
    try {
      await data(
        api.PUT('/v1/me/places/{id}', {
          params: { path: { id: place.id } },
          body: {
            label,
            lat: place.lat,
            lng: place.lng,
            ...(address && { address }),
            ...(Object.keys(contact).length > 0 && { contact }),
          },
        }),
      )
      toast(t('set.saved'))
      await again()
      onEnd()
    } catch (refusal) {
      setRest(placeErrors(form, refusal, (pointer) => pointer.replace('contact.', '')))
    }
  })
  return (
    <form
      onSubmit={submit}
      noValidate
      className="grid grid-cols-1 gap-3 sm:grid-cols-2"
      aria-label={t('saved.changeOf', { label: place.label })}
    >
      <Field
        label={t('saved.label')}
        error={said('label')}
        autoFocus
        autoComplete="off"
        {...form.register('label')}
      />
      <Field
        label={t('saved.address')}
        error={said('address')}
        autoComplete="off"
        {...form.register('address')}
      />
      <Field label={t('book.contact')} error={said('name')} autoComplete="off" {...form.register('name')} />
      <Field
        label={t('field.phone')}
        type="tel"
        dir="ltr"
        autoComplete="off"
        error={said('phone')}
        {...form.register('phone')}
      />
      <SaveFailure error={rest} />
      <div className="flex gap-2 sm:col-span-2">
        <Button kind="primary" type="submit" busy={form.formState.isSubmitting}>
          {t('set.save')}
        </Button>
        <Button onClick={onEnd}>{t('set.cancel')}</Button>
      </div>
    </form>
  )
}
