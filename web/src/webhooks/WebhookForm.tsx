/** Where to, what for, and which events. */
import { zodResolver } from '@hookform/resolvers/zod'
import { useState } from 'react'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import type { Schemas } from '@/api/client.ts'
import { CheckField, placeErrors, SaveFailure, useSaid } from '@/ui/form.tsx'
import { Button, Field } from '@/ui/index.tsx'
import { useLeaveWarning } from '@/ui/Leave.tsx'

const events = [
  'booking.requested',
  'booking.offered',
  'booking.offer_closed',
  'booking.assigned',
  'booking.progressed',
  'booking.delivered',
  'booking.cancelled',
  'booking.expired',
  'booking.failed',
  'booking.rated',
  'booking.scheduled',
  'booking.rescheduled',
  'booking.reminded',
  'booking.unassigned',
  'booking.stop_failed',
  'booking.returned',
  'booking.stops_changed',
  'booking.note_changed',
  'booking.driver_free',
] as const
// Does not compile when the API has an event that is not here.
const missing: Exclude<Schemas['WebhookEvent']['type'], (typeof events)[number]>[] = []

const schema = z.object({
  url: z
    .string()
    .trim()
    .min(1, 'invalid.required')
    .max(1000, 'invalid.long')
    .regex(/^https?:\/\/./, 'set.invalid.url'),
  description: z.string().trim().max(200, 'invalid.long'),
  events: z.array(z.string()),
})
export type Values = z.infer<typeof schema>
type Props = {
  values?: Values
  action: string
  save: (values: Values) => Promise<void>
  onCancel?: () => void
  onRefresh?: () => void
}

export function WebhookForm({ values, action, save, onCancel, onRefresh }: Props) {
  const { t } = useTranslation()
  const [rest, setRest] = useState<unknown>(null)
  const form = useForm<Values>({
    resolver: zodResolver(schema),
    defaultValues: values ?? { url: '', description: '', events: [] },
  })
  const said = useSaid(form)
  const { isDirty, isSubmitting } = form.formState
  const leave = useLeaveWarning(isDirty && !isSubmitting)
  const submit = form.handleSubmit(async (typed) => {
    setRest(null)
    try {
      await save(typed)
    } catch (refusal) {
      setRest(placeErrors(form, refusal))
    }
  })
  return (
    <form onSubmit={submit} noValidate className="grid grid-cols-1 gap-4" aria-label={action}>
      {leave.warning}
      <Field
        label={t('webhooks.url')}
        hint={t('webhooks.urlHint')}
        type="url"
        dir="ltr"
        error={said('url')}
        {...form.register('url')}
      />
      <Field
        label={t('webhooks.description')}
        error={said('description')}
        {...form.register('description')}
      />
      <fieldset className="grid grid-cols-1 gap-x-4 sm:grid-cols-2">
        <legend className="text-sm font-medium">{t('webhooks.events')}</legend>
        <p className="text-sm text-quiet sm:col-span-2">{t('webhooks.eventsHint')}</p>
        {[...events, ...missing].map((event) => (
          <CheckField
            key={event}
            label={
              <>
                {t(`webhooks.event.${event.slice(8)}`)} <code className="text-sm text-quiet">{event}</code>
              </>
            }
            value={event}
            {...form.register('events')}
          />
        ))}
      </fieldset>
      <SaveFailure
        error={rest}
        {...(onRefresh && {
          onRefresh: () => {
            setRest(null)
            onRefresh()
          },
        })}
      />
      <div className="flex flex-wrap gap-2">
        <Button kind="primary" type="submit" busy={isSubmitting}>
          {action}
        </Button>
        {onCancel && <Button onClick={onCancel}>{t('set.cancel')}</Button>}
      </div>
    </form>
  )
}
