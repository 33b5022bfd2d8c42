/** One driver: whether he may drive, what he has shown, what he drives, when he works. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams } from 'react-router'
import { api, data, type Schemas } from '@/api/client.ts'
import { OneVehicle } from '@/drive/OneVehicle.tsx'
import { ScheduleForm } from '@/drive/Shifts.tsx'
import { day } from '@/i18n/format.ts'
import { FileView } from '@/papers/FileView.tsx'
import { DocumentState, useKind } from '@/papers/words.tsx'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { AreaField, ifMatch, SaveFailure } from '@/ui/form.tsx'
import { Button, Empty, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { toast } from '@/ui/toast.tsx'
import { Page } from '../Page.tsx'

type Driver = Schemas['Driver']

export function DriverPage() {
  const { t } = useTranslation()
  const { id = '' } = useParams()
  const driver = useQuery({
    queryKey: ['drivers', id],
    queryFn: () => data(api.GET('/v1/drivers/{id}', { params: { path: { id } } })),
    staleTime: 0,
  })
  if (driver.error)
    return (
      <Page title={t('papers.one')}>
        <Failure error={driver.error} retry={() => void driver.refetch()} />
      </Page>
    )
  if (driver.data === undefined) return <Skeleton className="m-4 h-40" />
  const d = driver.data
  return (
    <Page
      title={<bdi>{d.name ?? '—'}</bdi>}
      acts={
        <Button asChild kind="quiet">
          <Link to="/admin/drivers">{t('papers.all')}</Link>
        </Button>
      }
    >
      <Standing driver={d} refresh={() => void driver.refetch()} />
      <Documents id={id} />
      <Vehicles id={id} />
      <Schedule id={id} />
      <p>
        <Link className="text-accent underline" to={`/admin/audit?subject=${d.id}`}>
          {t('papers.audit')}
        </Link>
      </p>
    </Page>
  )
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="grid gap-3">
      <h2 className="text-md font-semibold">{title}</h2>
      {children}
    </section>
  )
}

function Standing({ driver, refresh }: { driver: Driver; refresh: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [asking, setAsking] = useState(false)
  const [reason, setReason] = useState('')
  const set = useMutation({
    mutationFn: (body: Schemas['DriverStatusInput']) =>
      data(
        api.PATCH('/v1/drivers/{id}', {
          params: { path: { id: driver.id }, header: ifMatch(driver.version) },
          body,
        }),
      ),
    onSuccess: (changed) => {
      client.setQueryData(['drivers', driver.id], changed)
      void client.invalidateQueries({ queryKey: ['drivers'] })
      setAsking(false)
      setReason('')
      toast(t(`papers.now.${changed.status}`, { name: driver.name ?? '' }))
    },
  })
  function suspend(event: FormEvent) {
    event.preventDefault()
    set.mutate({ status: 'suspended', reason })
  }
  return (
    <Panel className="grid gap-3 p-4">
      <p>
        <span className="font-semibold">{t(`papers.driver.${driver.status}`)}</span>
        {driver.status_reason !== null && <> · {driver.status_reason}</>}
      </p>
      <p className="text-quiet">
        <bdi dir="ltr">{driver.phone ?? '—'}</bdi> · {t('papers.since', { day: day(driver.created_at) })}
      </p>
      <SaveFailure
        error={set.error}
        onRefresh={() => {
          set.reset()
          refresh()
        }}
      />
      {asking ? (
        <form onSubmit={suspend} className="grid gap-3">
          <AreaField
            label={t('papers.reason')}
            hint={t('papers.reasonHint')}
            required
            maxLength={500}
            value={reason}
            onChange={(e) => setReason(e.target.value)}
          />
          <div className="flex gap-2">
            <Button type="submit" kind="danger" busy={set.isPending}>
              {t('papers.suspend')}
            </Button>
            <Button kind="quiet" onClick={() => setAsking(false)}>
              {t('papers.cancel')}
            </Button>
          </div>
        </form>
      ) : (
        <div className="flex flex-wrap gap-2">
          {driver.status !== 'approved' && (
            <Button kind="primary" busy={set.isPending} onClick={() => set.mutate({ status: 'approved' })}>
              {t('papers.approveDriver')}
            </Button>
          )}
          {driver.status !== 'suspended' && (
            <Button kind="danger" onClick={() => setAsking(true)}>
              {t('papers.suspend')}
            </Button>
          )}
        </div>
      )}
    </Panel>
  )
}

function Documents({ id }: { id: string }) {
  const { t } = useTranslation()
  const kindName = useKind()
  const list = useQuery({
    queryKey: ['drivers', id, 'documents'],
    queryFn: () => data(api.GET('/v1/drivers/{id}/documents', { params: { path: { id } } })),
  })
  return (
    <Part title={t('papers.documents')}>
      {list.isPending && <Skeleton className="h-32" />}
      {list.error && <Failure error={list.error} retry={() => void list.refetch()} />}
      {list.data?.lacking && (
        <p role="status">{t('papers.lackingOf', { kind: kindName(list.data.lacking) })}</p>
      )}
      {list.data?.items.length === 0 && <Empty>{t('papers.noDocuments')}</Empty>}
      <ul className="grid gap-3">
        {list.data?.items.map((d) => (
          <li key={d.id}>
            <Review id={id} document={d} />
          </li>
        ))}
      </ul>
    </Part>
  )
}

function Review({ id, document }: { id: string; document: Schemas['DriverDocument'] }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const name = useKind()(document.kind)
  const [rejecting, setRejecting] = useState(false)
  const [reason, setReason] = useState('')
  const review = useMutation({
    mutationFn: (body: Schemas['ReviewInput']) =>
      data(
        api.POST('/v1/drivers/{id}/documents/{document_id}/review', {
          params: { path: { id, document_id: document.id } },
          body,
        }),
      ),
    onSuccess: (changed) => {
      void client.invalidateQueries({ queryKey: ['drivers'] })
      setRejecting(false)
      toast(t(`papers.said.${changed.state === 'approved' ? 'approved' : 'rejected'}`, { kind: name }))
    },
  })
  function reject(event: FormEvent) {
    event.preventDefault()
    review.mutate({ decision: 'rejected', reason })
  }
  const open = document.state !== 'expired'
  return (
    <Panel className="grid gap-3 p-4">
      <h3 className="font-semibold">{name}</h3>
      <DocumentState document={document} />
      <FileView id={document.file_id} type={document.file_type} name={name} />
      {review.error !== null && <Failure error={review.error} />}
      {open && rejecting && (
        <form onSubmit={reject} className="grid gap-3">
          <Field
            label={t('papers.reason')}
            hint={t('papers.reasonHint')}
            required
            maxLength={500}
            value={reason}
            onChange={(e) => setReason(e.target.value)}
          />
          <div className="flex gap-2">
            <Button type="submit" kind="danger" busy={review.isPending}>
              {t('papers.reject')}
            </Button>
            <Button kind="quiet" onClick={() => setRejecting(false)}>
              {t('papers.cancel')}
            </Button>
          </div>
        </form>
      )}
      {open && !rejecting && (
        <div className="flex flex-wrap gap-2">
          {document.state !== 'approved' && (
            <Button
              kind="primary"
              busy={review.isPending}
              onClick={() => review.mutate({ decision: 'approved' })}
            >
              {t('papers.approve')} <span className="sr-only">{name}</span>
            </Button>
          )}
          {document.state !== 'rejected' && (
            <Button kind="danger" onClick={() => setRejecting(true)}>
              {t('papers.reject')} <span className="sr-only">{name}</span>
            </Button>
          )}
        </div>
      )}
    </Panel>
  )
}

/** The office changes them by the same rules as he does himself; which one he drives is his word. */
function Vehicles({ id }: { id: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [open, setOpen] = useState<string | null>(null) // a vehicle's id; '': a new one
  const list = useQuery({
    queryKey: ['drivers', id, 'vehicles'],
    queryFn: () => data(api.GET('/v1/drivers/{id}/vehicles', { params: { path: { id } } })),
  })
  const changed = () => {
    setOpen(null)
    toast(t('set.saved'))
    void client.invalidateQueries({ queryKey: ['drivers'] })
  }
  return (
    <Part title={t('papers.vehicles')}>
      {list.isPending && <Skeleton className="h-16" />}
      {list.error && <Failure error={list.error} retry={() => void list.refetch()} />}
      {list.data?.items.length === 0 && <Empty>{t('papers.noVehicle')}</Empty>}
      <ul className="grid grid-cols-1 gap-2">
        {list.data?.items.map((v) => (
          <li key={v.id}>
            {open === v.id ? (
              <OneVehicle
                vehicle={v}
                size="touch"
                action={t('drive.vehicle.save')}
                save={(body) => {
                  const params = { path: { id, vehicle_id: v.id } }
                  return data(api.PUT('/v1/drivers/{id}/vehicles/{vehicle_id}', { params, body }))
                }}
                onDone={changed}
                onCancel={() => setOpen(null)}
              />
            ) : (
              <VehicleRow driverId={id} vehicle={v} onOpen={() => setOpen(v.id)} onRemoved={changed} />
            )}
          </li>
        ))}
      </ul>
      {open === '' ? (
        <OneVehicle
          size="touch"
          action={t('papers.addVehicle')}
          save={(body) => data(api.POST('/v1/drivers/{id}/vehicles', { params: { path: { id } }, body }))}
          onDone={changed}
          onCancel={() => setOpen(null)}
        />
      ) : (
        list.data && (
          <Button className="justify-self-start" onClick={() => setOpen('')}>
            {t('papers.addVehicle')}
          </Button>
        )
      )}
    </Part>
  )
}

type RowProps = {
  driverId: string
  vehicle: Schemas['OwnVehicle']
  onOpen: () => void
  onRemoved: () => void
}
function VehicleRow({ driverId, vehicle: v, onOpen, onRemoved }: RowProps) {
  const { t } = useTranslation()
  return (
    <Panel className="flex flex-wrap items-center gap-3 p-3">
      <p className="min-w-0 grow basis-48">
        <span className="font-semibold">
          {t(`vehicle.${v.class}`)} <bdi dir="ltr">{v.plate}</bdi>
        </span>{' '}
        {t('papers.capacity', { kg: v.capacity_kg, l: v.capacity_l, items: v.capacity_items })}
        {v.in_use && <> · ✓ {t('papers.inUse')}</>}
      </p>
      <div className="flex flex-wrap gap-2">
        <Button onClick={onOpen}>
          {t('papers.change')} <bdi className="sr-only">{v.plate}</bdi>
        </Button>
        <ConfirmButton
          label={
            <>
              {t('papers.remove')} <bdi className="sr-only">{v.plate}</bdi>
            </>
          }
          title={t('papers.removeTitle', { plate: v.plate })}
          text={t('papers.removeText')}
          action={t('papers.remove')}
          onConfirm={async () => {
            const params = { path: { id: driverId, vehicle_id: v.id } }
            await api.DELETE('/v1/drivers/{id}/vehicles/{vehicle_id}', { params })
            onRemoved()
          }}
        />
      </div>
    </Panel>
  )
}

/** When he works and from where; he may say so himself, too. */
function Schedule({ id }: { id: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const key = ['drivers', id, 'schedule']
  const schedule = useQuery({
    queryKey: key,
    queryFn: () => data(api.GET('/v1/drivers/{id}/schedule', { params: { path: { id } } })),
  })
  const is = schedule.data
  return (
    <Part title={t('papers.shifts')}>
      {schedule.isPending && <Skeleton className="h-16" />}
      {schedule.error && <Failure error={schedule.error} retry={() => void schedule.refetch()} />}
      {is && <p className="text-quiet">{t('papers.zone', { zone: is.timezone })}</p>}
      {is && (
        <ScheduleForm
          key={is.version}
          schedule={is}
          size="touch"
          save={(body) => {
            const params = { path: { id }, header: ifMatch(is.version) }
            return data(api.PUT('/v1/drivers/{id}/schedule', { params, body }))
          }}
          onSaved={(changed) => {
            client.setQueryData(key, changed)
            toast(t('set.saved'))
          }}
          onRefresh={() => void schedule.refetch()}
        />
      )}
    </Part>
  )
}
