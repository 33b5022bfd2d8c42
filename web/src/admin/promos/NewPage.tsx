/** A new promo code. */
import { zodResolver } from '@hookform/resolvers/zod'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { type Path, useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate } from 'react-router'
import { api, data, idempotencyKey } from '@/api/client.ts'
import { AreaField, CheckField, placeErrors, SaveFailure, SelectField, useSaid } from '@/ui/form.tsx'
import { Button, Failure, Field, Skeleton } from '@/ui/index.tsx'
import { useLeaveWarning } from '@/ui/Leave.tsx'
import { toast } from '@/ui/toast.tsx'
import { Page } from '../Page.tsx'
import { vehicles } from '../tariffs/draft.ts'
import { useTariffs } from '../tariffs/hooks.ts'
import { type Draft, fresh, requestOf, schema } from './draft.ts'

export function NewPage() {
  const { t } = useTranslation()
  const tariffs = useTariffs()
  return (
    <Page
      title={t('promos.make')}
      lead={t('promos.makeMore')}
      acts={
        <Button kind="quiet" asChild>
          <Link to="/admin/promos">{t('promos.back')}</Link>
        </Button>
      }
    >
      {tariffs.error ? (
        <Failure error={tariffs.error} retry={() => void tariffs.refetch()} />
      ) : tariffs.data === undefined ? (
        <Skeleton className="h-80" />
      ) : (
        <Form currency={tariffs.data.tariffs.currency} />
      )}
    </Page>
  )
}

function Form({ currency }: { currency: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const client = useQueryClient()
  const form = useForm<Draft>({ resolver: zodResolver(schema), defaultValues: fresh })
  const said = useSaid(form)
  const leave = useLeaveWarning(form.formState.isDirty)
  const [rest, setRest] = useState<unknown>(null)
  const kind = form.watch('kind')
  const submit = form.handleSubmit(async (draft) => {
    setRest(null)
    try {
      const header = { 'Idempotency-Key': idempotencyKey() }
      const made = await data(
        api.POST('/v1/promo-codes', { params: { header }, body: requestOf(draft, currency) }),
      )
      leave.done()
      toast(t('promos.made', { code: made.code }))
      await client.invalidateQueries({ queryKey: ['promos'] })
      navigate(`/admin/promos/code/${encodeURIComponent(made.code)}`)
    } catch (refusal) {
      setRest(placeErrors(form, refusal))
    }
  })
  const field = (name: Path<Draft>, label: string, more: object = {}) => (
    <Field label={label} error={said(name)} {...more} {...form.register(name)} />
  )
  const figure = { inputMode: 'decimal', dir: 'ltr' }
  const inCurrency = (key: string) => `${t(key)}, ${currency}`
  return (
    <form onSubmit={submit} noValidate className="grid max-w-prose grid-cols-1 gap-4">
      {leave.warning}
      {field('code', t('promos.code'), {
        dir: 'ltr',
        autoCapitalize: 'characters',
        hint: t('promos.codeHint'),
      })}
      <SelectField label={t('promos.kind')} {...form.register('kind')}>
        <option value="percent">{t('promos.percentKind')}</option>
        <option value="amount">{t('promos.amountKind')}</option>
      </SelectField>
      {kind === 'percent' ? (
        <div className="grid grid-cols-1 gap-4 sm:grid-cols-2">
          {field('percent', t('promos.percent'), figure)}
          {field('cap', inCurrency('promos.cap'), figure)}
        </div>
      ) : (
        field('amount', inCurrency('promos.amount'), figure)
      )}
      <div className="grid grid-cols-1 gap-4 sm:grid-cols-2">
        {field('minimum_total', inCurrency('promos.minimum'), figure)}
        {field('uses_max', t('promos.usesMax'), figure)}
        {field('uses_per_customer_max', t('promos.perCustomer'), figure)}
        {field('valid_from', t('promos.validFrom'), { type: 'datetime-local' })}
        {field('valid_to', t('promos.validTo'), { type: 'datetime-local' })}
      </div>
      <fieldset className="grid grid-cols-1 gap-1">
        <legend className="text-sm font-medium">{t('promos.vehiclesHint')}</legend>
        <div className="flex flex-wrap gap-x-6">
          {vehicles.map((v) => (
            <CheckField key={v} label={t(`vehicle.${v}`)} value={v} {...form.register('vehicles')} />
          ))}
        </div>
      </fieldset>
      <CheckField label={t('promos.first')} {...form.register('first_only')} />
      <AreaField label={t('promos.note')} error={said('note')} {...form.register('note')} />
      <SaveFailure error={rest} />
      <div>
        <Button type="submit" kind="primary" busy={form.formState.isSubmitting}>
          {t('promos.make')}
        </Button>
      </div>
    </form>
  )
}
