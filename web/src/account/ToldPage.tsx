/** What one is told of outside of the app, and when not. */
import { zodResolver } from '@hookform/resolvers/zod'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import { Page } from '@/admin/Page.tsx'
import { api, type Schemas } from '@/api/client.ts'
import { useUser } from '@/app/hooks.ts'
import { languages } from '@/i18n/index.ts'
import { CheckField, placeErrors, SaveFailure, SelectField, useSaid } from '@/ui/form.tsx'
import { Button, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { useLeaveWarning } from '@/ui/Leave.tsx'
import { toast } from '@/ui/toast.tsx'

type Now = Schemas['NotificationPreferencesNow']
const bookings = [
  'requested',
  'assigned',
  'arrived_pickup',
  'picked_up',
  'arrived_dropoff',
  'delivered',
  'cancelled',
  'expired',
  'failed',
  'stop_failed',
  'returning',
  'arrived_return',
  'returned',
  'stops_changed',
  'scheduled',
  'reminded',
] as const
const driving = ['offer', 'shift', 'document'] as const
const zones: readonly string[] = Intl.supportedValuesOf('timeZone')

export default function ToldPage() {
  const { t } = useTranslation()
  const now = useQuery({
    queryKey: ['preferences'],
    queryFn: async () => {
      const { data, response } = await api.GET('/v1/notifications/preferences')
      return { is: data as Now, etag: response.headers.get('ETag') ?? '*' }
    },
  })
  return (
    <Page title={t('account.told')} lead={t('account.toldMore')}>
      {now.error && <Failure error={now.error} retry={() => void now.refetch()} />}
      {now.isPending && <Skeleton className="h-80" />}
      {now.data && (
        <Form key={now.data.etag} now={now.data.is} etag={now.data.etag} refresh={() => void now.refetch()} />
      )}
    </Page>
  )
}

const maybeTime = z.string().regex(/^$|^([01]\d|2[0-3]):[0-5]\d$/, 'set.invalid.time')
const schema = z
  .object({
    language: z.string(),
    timezone: z.string().max(64, 'invalid.long'),
    quiet_from: maybeTime,
    quiet_until: maybeTime,
    email: z.array(z.string()),
    message: z.array(z.string()),
  })
  .refine((v) => (v.quiet_from === '') === (v.quiet_until === ''), {
    path: ['quiet_until'],
    message: 'set.invalid.time',
  })

function Form({ now, etag, refresh }: { now: Now; etag: string; refresh: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const role = useUser()?.role
  const [rest, setRest] = useState<unknown>(null)
  const form = useForm<z.infer<typeof schema>>({
    resolver: zodResolver(schema),
    defaultValues: {
      language: now.language ?? '',
      timezone: now.timezone ?? '',
      quiet_from: now.quiet_from ?? '',
      quiet_until: now.quiet_until ?? '',
      email: now.email,
      message: now.message,
    },
  })
  const said = useSaid(form)
  const { isDirty, isSubmitting } = form.formState
  const leave = useLeaveWarning(isDirty && !isSubmitting)
  const submit = form.handleSubmit(async ({ email, message, ...rest }) => {
    setRest(null)
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== ''))
    try {
      await api.PUT('/v1/notifications/preferences', {
        params: { header: { 'If-Match': etag } },
        body: { email, message, ...given },
      })
      toast(t('set.saved'))
      await client.invalidateQueries({ queryKey: ['preferences'] })
    } catch (refusal) {
      setRest(placeErrors(form, refusal))
    }
  })
  const known: readonly string[] = [...bookings, ...(role === 'driver' ? driving : [])]
  // What was chosen elsewhere and is not named here stays chosen.
  const kinds = [...new Set([...known, ...now.email, ...now.message])]
  const nameOf = (kind: string) => t(`account.when.${kind}`, { defaultValue: kind })
  return (
    <form onSubmit={submit} noValidate className="grid grid-cols-1 gap-4" aria-label={t('account.told')}>
      {leave.warning}
      <Panel className="overflow-hidden">
        <table className="w-full text-sm">
          <caption className="sr-only">{t('account.told')}</caption>
          <thead className="bg-raised">
            <tr>
              <th scope="col" className="px-3 py-2 text-start font-medium">
                {t('account.event')}
              </th>
              {(['email', 'message'] as const).map((way) => (
                <th key={way} scope="col" className="w-24 px-2 py-2 text-center font-medium">
                  {t(`account.by.${way}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {kinds.map((kind) => (
              <tr key={kind} className="border-t border-line">
                <th scope="row" className="px-3 text-start font-normal">
                  {nameOf(kind)}
                </th>
                {(['email', 'message'] as const).map((way) => (
                  <td key={way} className="text-center">
                    <CheckField
                      className="justify-center"
                      label={
                        <span className="sr-only">
                          {t(`account.by.${way}`)}: {nameOf(kind)}
                        </span>
                      }
                      value={kind}
                      {...form.register(way)}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Panel>
      <Panel className="p-4">
        <fieldset className="grid grid-cols-1 gap-3 min-[24rem]:grid-cols-2">
          <legend className="float-start w-full text-lg font-semibold min-[24rem]:col-span-2">
            {t('account.quiet')}
          </legend>
          <p className="text-sm text-quiet min-[24rem]:col-span-2">{t('account.quietMore')}</p>
          <Field
            type="time"
            label={t('account.quietFrom')}
            error={said('quiet_from')}
            {...form.register('quiet_from')}
          />
          <Field
            type="time"
            label={t('account.quietUntil')}
            error={said('quiet_until')}
            {...form.register('quiet_until')}
          />
          <Field
            label={t('account.timezone')}
            list="account-timezones"
            dir="ltr"
            hint={t('account.timezoneHint', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}
            error={said('timezone')}
            {...form.register('timezone')}
          />
          <datalist id="account-timezones">
            {zones.map((zone) => (
              <option key={zone} value={zone} />
            ))}
          </datalist>
          <SelectField
            label={t('account.mailLanguage')}
            error={said('language')}
            {...form.register('language')}
          >
            <option value="">{t('account.usual')}</option>
            {Object.entries(languages).map(([code, name]) => (
              <option key={code} value={code} lang={code}>
                {name}
              </option>
            ))}
          </SelectField>
        </fieldset>
      </Panel>
      <SaveFailure
        error={rest}
        onRefresh={() => {
          setRest(null)
          refresh()
        }}
      />
      <div>
        <Button kind="primary" type="submit" busy={isSubmitting}>
          {t('set.save')}
        </Button>
      </div>
    </form>
  )
}
