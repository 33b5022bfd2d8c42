/** The next version: written from one there is, weighed against what last week was booked, then published. */
import { zodResolver } from '@hookform/resolvers/zod'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { FormProvider, type Resolver, useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { api, data, idempotencyKey } from '@/api/client.ts'
import { day, money } from '@/i18n/format.ts'
import { ConfirmButton } from '@/ui/Confirm.tsx'
import { placeErrors, SaveFailure } from '@/ui/form.tsx'
import { Button, Failure, Skeleton } from '@/ui/index.tsx'
import { useLeaveWarning } from '@/ui/Leave.tsx'
import { toast } from '@/ui/toast.tsx'
import { Page } from '../Page.tsx'
import { linesOf, paired } from './compare.ts'
import { Differences } from './Differences.tsx'
import { type Draft, draftOf, formName, type Request, requestOf, schema, type Tariffs } from './draft.ts'
import { Fields } from './Fields.tsx'
import { useTariffs } from './hooks.ts'
import { Preview } from './Preview.tsx'

export function EditPage() {
  const { t } = useTranslation()
  const from = Number(useSearchParams()[0].get('from')) || undefined
  const base = useTariffs(from)
  return (
    <Page
      title={t('tariffs.change')}
      lead={t('tariffs.changeMore')}
      acts={
        <Button kind="quiet" asChild>
          <Link to="/admin/tariffs">{t('tariffs.all')}</Link>
        </Button>
      }
    >
      {base.error ? (
        <Failure error={base.error} retry={() => void base.refetch()} />
      ) : base.data === undefined ? (
        <Skeleton className="h-80" />
      ) : (
        <Editor base={base.data.tariffs} newest={base.data.newest} refresh={() => base.refetch()} />
      )}
    </Page>
  )
}

type Props = { base: Tariffs; newest: string; refresh: () => Promise<unknown> }
function Editor({ base, newest, refresh }: Props) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const client = useQueryClient()
  const [start] = useState(base) // what it is compared with stays, whatever is published meanwhile
  const form = useForm<Draft>({
    resolver: zodResolver(schema) as unknown as Resolver<Draft>,
    defaultValues: draftOf(start),
  })
  const leave = useLeaveWarning(form.formState.isDirty)
  const [rest, setRest] = useState<unknown>(null)
  /** What was weighed: it is this that is published, not what has been typed since. */
  const [weighed, setWeighed] = useState<Request | null>(null)
  const preview = useMutation({
    mutationFn: (body: Request) => data(api.POST('/v1/tariffs/preview', { body })),
  })
  const weigh = form.handleSubmit(async (values) => {
    const request = requestOf(values, start)
    setRest(null)
    setWeighed(null)
    try {
      await preview.mutateAsync(request)
      setWeighed(request)
    } catch (refusal) {
      setRest(placeErrors(form, refusal, formName))
    }
  })
  const [key] = useState(idempotencyKey)
  async function publish(body: Request) {
    const header = { 'If-Match': newest, 'Idempotency-Key': `${key}/${newest.replaceAll('"', '')}` }
    try {
      const written = await data(api.PUT('/v1/tariffs', { params: { header }, body }))
      leave.done()
      toast(
        body.effective_at
          ? t('tariffs.publishedFrom', { number: written.version, at: day(body.effective_at) })
          : t('tariffs.published', { number: written.version }),
      )
      await client.invalidateQueries({ queryKey: ['tariffs'] })
      navigate(`/admin/tariffs/${written.version}?with=${start.version}`)
    } catch (refusal) {
      const left = placeErrors(form, refusal, formName)
      setRest(left)
      if (left === null) setWeighed(null)
    }
  }
  return (
    <FormProvider {...form}>
      {leave.warning}
      <form onSubmit={weigh} onChange={() => setWeighed(null)} className="grid grid-cols-1 gap-6" noValidate>
        <Fields currency={start.currency} />
        <SaveFailure
          error={rest}
          onRefresh={() => {
            setRest(null)
            void refresh()
          }}
        />
        {Object.keys(form.formState.errors).length > 0 && (
          <p role="alert" className="text-bad">
            {t('tariffs.faults')}
          </p>
        )}
        <div>
          <Button type="submit" kind={weighed ? 'plain' : 'primary'} busy={preview.isPending}>
            {t('tariffs.weigh')}
          </Button>
        </div>
      </form>
      {weighed && preview.data && (
        <section aria-label={t('tariffs.weighed')} className="grid grid-cols-1 gap-4">
          <Preview preview={preview.data} />
          <Differences
            pairs={paired(
              linesOf(t, start),
              linesOf(t, { ...weighed, taxes_included: weighed.taxes_included ?? false }),
            )}
            old={t('tariffs.versionOf', { number: start.version })}
            now={t('tariffs.next')}
          />
          <div>
            <ConfirmButton
              kind="primary"
              label={t('tariffs.publish')}
              title={t('tariffs.publishTitle')}
              text={t(weighed.effective_at ? 'tariffs.publishLater' : 'tariffs.publishNow', {
                at: weighed.effective_at ? day(weighed.effective_at) : '',
                old: money(preview.data.old, preview.data.currency),
                new: money(preview.data.new, preview.data.currency),
              })}
              action={t('tariffs.publish')}
              onConfirm={() => publish(weighed)}
            />
          </div>
        </section>
      )}
    </FormProvider>
  )
}
