/** What a driver shows and says of himself: his documents, his vehicles, when he works. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, idempotencyKey, type Schemas } from '@/api/client.ts'
import { FileView } from '@/papers/FileView.tsx'
import { DocumentState, useKind } from '@/papers/words.tsx'
import { Button, Empty, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { driverKey } from './hooks.ts'
import { OneVehicle } from './OneVehicle.tsx'
import { Shifts } from './Shifts.tsx'

const documentsKey = ['driver', 'documents']
const vehiclesKey = ['driver', 'vehicles']

export default function PapersPage() {
  const { t } = useTranslation()
  return (
    <div className="mx-auto grid max-w-xl gap-6 p-4">
      <h1 className="text-lg font-semibold">{t('papers.title')}</h1>
      <Documents />
      <Vehicles />
      <Shifts />
    </div>
  )
}

function Documents() {
  const { t } = useTranslation()
  const kindName = useKind()
  const list = useQuery({
    queryKey: documentsKey,
    queryFn: () => data(api.GET('/v1/driver/documents')),
  })
  return (
    <section className="grid gap-3" aria-labelledby="documents">
      <h2 id="documents" className="text-md font-semibold">
        {t('papers.documents')}
      </h2>
      {list.isPending && <Skeleton className="h-32" />}
      {list.error && <Failure size="drive" error={list.error} retry={() => void list.refetch()} />}
      {list.data?.lacking && (
        <p role="status" className="rounded-control border border-bad p-3">
          {t('papers.lacking', { kind: kindName(list.data.lacking) })}
        </p>
      )}
      {list.data?.kinds.map((kind) => (
        <Kind key={kind} kind={kind} items={list.data.items.filter((d) => d.kind === kind)} />
      ))}
    </section>
  )
}

function Kind({ kind, items }: { kind: string; items: Schemas['DriverDocument'][] }) {
  const { t } = useTranslation()
  const name = useKind()(kind)
  const [adding, setAdding] = useState(false)
  return (
    <Panel className="grid gap-3 p-4">
      <h3 className="font-semibold">{name}</h3>
      {items.length === 0 && <p className="text-quiet">{t('papers.notSent')}</p>}
      {items.map((d) => (
        <div key={d.id} className="grid gap-2">
          <DocumentState document={d} />
          <FileView id={d.file_id} type={d.file_type} name={name} size="drive" />
        </div>
      ))}
      {adding ? (
        <Send kind={kind} name={name} onDone={() => setAdding(false)} />
      ) : (
        <Button size="drive" onClick={() => setAdding(true)}>
          {t(items.length === 0 ? 'papers.send' : 'papers.sendNew')} <span className="sr-only">{name}</span>
        </Button>
      )}
    </Panel>
  )
}

/** The end of the day that is written on it, by this device's clock. */
function endOf(text: string): string {
  const end = new Date(`${text}T00:00`)
  end.setDate(end.getDate() + 1)
  return end.toISOString()
}

function Send({ kind, name, onDone }: { kind: string; name: string; onDone: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [file, setFile] = useState<File>()
  const [until, setUntil] = useState('')
  const [key] = useState(idempotencyKey)
  const send = useMutation({
    mutationFn: async (picture: File) => {
      const kept = await data(
        api.POST('/v1/files', {
          params: { header: { 'Idempotency-Key': key } },
          headers: { 'Content-Type': picture.type },
          body: picture as never,
          bodySerializer: (body) => body as never,
        }),
      )
      const body = { kind, file_id: kept.id, ...(until !== '' && { expires_at: endOf(until) }) }
      return data(api.POST('/v1/driver/documents', { body }))
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: documentsKey })
      onDone()
    },
  })
  function submit(event: FormEvent) {
    event.preventDefault()
    if (file) send.mutate(file)
  }
  return (
    <form onSubmit={submit} className="grid gap-3">
      <Field
        size="drive"
        className="[&_input]:py-3"
        label={t('papers.file', { name })}
        hint={t('papers.fileHint')}
        type="file"
        accept="image/jpeg,image/png,application/pdf"
        required
        onChange={(e) => setFile(e.target.files?.[0])}
      />
      <Field
        size="drive"
        label={t('papers.expires')}
        hint={t('papers.expiresHint')}
        type="date"
        value={until}
        onChange={(e) => setUntil(e.target.value)}
      />
      {send.error !== null && <Failure size="drive" error={send.error} />}
      <div className="flex gap-2">
        <Button type="submit" kind="primary" size="drive" busy={send.isPending} className="grow">
          {t('papers.send')}
        </Button>
        <Button kind="quiet" size="drive" onClick={onDone}>
          {t('papers.cancel')}
        </Button>
      </div>
    </form>
  )
}

// ---- vehicles ----

function Vehicles() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [adding, setAdding] = useState(false)
  const list = useQuery({ queryKey: vehiclesKey, queryFn: () => data(api.GET('/v1/driver/vehicles')) })
  const changed = () => {
    void client.invalidateQueries({ queryKey: vehiclesKey })
    void client.invalidateQueries({ queryKey: driverKey })
  }
  const use = useMutation({
    mutationFn: (id: string) => data(api.POST('/v1/driver/vehicles/{id}/use', { params: { path: { id } } })),
    onSuccess: changed,
  })
  const remove = useMutation({
    mutationFn: (id: string) => api.DELETE('/v1/driver/vehicles/{id}', { params: { path: { id } } }),
    onSuccess: changed,
  })
  return (
    <section className="grid gap-3" aria-labelledby="vehicles">
      <h2 id="vehicles" className="text-md font-semibold">
        {t('papers.vehicles')}
      </h2>
      {list.isPending && <Skeleton className="h-24" />}
      {list.error && <Failure size="drive" error={list.error} retry={() => void list.refetch()} />}
      {list.data?.items.length === 0 && <Empty>{t('papers.noVehicle')}</Empty>}
      <ul className="grid gap-2">
        {list.data?.items.map((v) => (
          <li key={v.id} className="grid gap-2 rounded-panel border border-line bg-panel p-4">
            <p className="flex flex-wrap gap-x-3">
              <span className="font-semibold">
                {t(`vehicle.${v.class}`)} <bdi dir="ltr">{v.plate}</bdi>
              </span>
              {v.in_use && <span className="text-good">✓ {t('papers.inUse')}</span>}
              <span className="w-full text-quiet">
                {t('papers.capacity', { kg: v.capacity_kg, l: v.capacity_l, items: v.capacity_items })}
              </span>
            </p>
            <div className="flex gap-2">
              {!v.in_use && (
                <Button
                  size="drive"
                  busy={use.isPending && use.variables === v.id}
                  onClick={() => use.mutate(v.id)}
                >
                  {t('papers.use')} <bdi className="sr-only">{v.plate}</bdi>
                </Button>
              )}
              <Button size="drive" kind="quiet" onClick={() => remove.mutate(v.id)}>
                {t('papers.remove')} <bdi className="sr-only">{v.plate}</bdi>
              </Button>
            </div>
          </li>
        ))}
      </ul>
      {(use.error ?? remove.error) && <Failure size="drive" error={use.error ?? remove.error} />}
      {adding ? (
        <OneVehicle
          size="drive"
          action={t('papers.addVehicle')}
          save={(body) => data(api.POST('/v1/driver/vehicles', { body }))}
          onDone={() => {
            setAdding(false)
            changed()
          }}
          onCancel={() => setAdding(false)}
        />
      ) : (
        <Button size="drive" onClick={() => setAdding(true)}>
          {t('papers.addVehicle')}
        </Button>
      )}
    </section>
  )
}
