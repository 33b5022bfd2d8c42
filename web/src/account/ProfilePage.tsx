/** Name, phone, address, language. */
import { zodResolver } from '@hookform/resolvers/zod'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import { Page } from '@/admin/Page.tsx'
import { api, data, type Schemas } from '@/api/client.ts'
import { updateUser } from '@/api/session.ts'
import { latinDigits } from '@/i18n/format.ts'
import { type Language, languages, setLanguage } from '@/i18n/index.ts'
import { ifMatch, placeErrors, SaveFailure, SelectField, useSaid } from '@/ui/form.tsx'
import { Button, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { useLeaveWarning } from '@/ui/Leave.tsx'
import { toast } from '@/ui/toast.tsx'

type User = Schemas['User']

export default function ProfilePage() {
  const { t, i18n } = useTranslation()
  const me = useQuery({ queryKey: ['me'], queryFn: () => data(api.GET('/v1/me')) })
  return (
    <Page title={t('account.profile')}>
      {me.error && <Failure error={me.error} retry={() => void me.refetch()} />}
      {me.isPending && <Skeleton className="h-40" />}
      {me.data && (
        <>
          <Profile key={me.data.version} me={me.data} refresh={() => void me.refetch()} />
          <Address me={me.data} />
        </>
      )}
      <Panel className="p-4">
        <SelectField
          label={t('menu.language')}
          value={i18n.language}
          onChange={(event) => void setLanguage(event.target.value as Language)}
        >
          {Object.entries(languages).map(([code, name]) => (
            <option key={code} value={code} lang={code}>
              {name}
            </option>
          ))}
        </SelectField>
      </Panel>
    </Page>
  )
}

const schema = z.object({
  name: z.string().trim().min(1, 'invalid.required').max(100, 'invalid.long'),
  phone: z
    .string()
    .trim()
    .overwrite(latinDigits)
    .regex(/^$|^\+[1-9]\d{6,14}$/, 'invalid.phone'),
})

function Profile({ me, refresh }: { me: User; refresh: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [rest, setRest] = useState<unknown>(null)
  const form = useForm<z.infer<typeof schema>>({
    resolver: zodResolver(schema),
    defaultValues: { name: me.name, phone: me.phone ?? '' },
  })
  const said = useSaid(form)
  const { isDirty, isSubmitting } = form.formState
  const leave = useLeaveWarning(isDirty && !isSubmitting)
  const submit = form.handleSubmit(async (body) => {
    setRest(null)
    try {
      const changed = await data(api.PATCH('/v1/me', { params: { header: ifMatch(me.version) }, body }))
      client.setQueryData(['me'], changed)
      updateUser(changed)
      toast(t('set.saved'))
    } catch (refusal) {
      setRest(placeErrors(form, refusal))
    }
  })
  return (
    <Panel className="p-4">
      <form onSubmit={submit} noValidate className="grid grid-cols-1 gap-4" aria-label={t('account.profile')}>
        {leave.warning}
        <Field label={t('field.name')} autoComplete="name" error={said('name')} {...form.register('name')} />
        <Field
          label={t('field.phone')}
          hint={t('field.phoneHint')}
          type="tel"
          dir="ltr"
          autoComplete="tel"
          error={said('phone')}
          {...form.register('phone')}
        />
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
    </Panel>
  )
}

const addressSchema = z.object({
  email: z.email('invalid.email'),
  password: z.string().min(1, 'invalid.required'),
})

function Address({ me }: { me: User }) {
  const { t } = useTranslation()
  const [rest, setRest] = useState<unknown>(null)
  const [sentTo, setSentTo] = useState<string | null>(null)
  const confirm = useMutation({
    mutationFn: () => api.POST('/v1/me/email/verify'),
    onSuccess: () => toast(t('account.mailSent')),
  })
  const form = useForm<z.infer<typeof addressSchema>>({
    resolver: zodResolver(addressSchema),
    defaultValues: { email: '', password: '' },
  })
  const said = useSaid(form)
  const submit = form.handleSubmit(async (body) => {
    setRest(null)
    try {
      await api.POST('/v1/me/email', { body })
      setSentTo(body.email)
      form.reset()
    } catch (refusal) {
      setRest(placeErrors(form, refusal))
    }
  })
  return (
    <Panel className="grid grid-cols-1 gap-4 p-4">
      <h2 className="text-lg font-semibold">{t('account.address')}</h2>
      <p>
        <bdi dir="ltr" className="break-all">
          {me.email}
        </bdi>{' '}
        · {t(me.email_verified ? 'account.confirmed' : 'account.unconfirmed')}
      </p>
      {!me.email_verified && (
        <div className="grid justify-items-start gap-2">
          {confirm.error !== null && <Failure error={confirm.error} />}
          <Button busy={confirm.isPending} onClick={() => confirm.mutate()}>
            {t('account.confirmAgain')}
          </Button>
        </div>
      )}
      {sentTo !== null && <p role="status">{t('account.addressSent', { email: sentTo })}</p>}
      <form
        onSubmit={submit}
        noValidate
        className="grid grid-cols-1 gap-4"
        aria-label={t('account.changeAddress')}
      >
        <Field
          label={t('account.otherAddress')}
          type="email"
          dir="ltr"
          autoComplete="email"
          error={said('email')}
          {...form.register('email')}
        />
        <Field
          label={t('account.password')}
          type="password"
          dir="ltr"
          autoComplete="current-password"
          error={said('password')}
          {...form.register('password')}
        />
        <SaveFailure error={rest} />
        <div>
          <Button type="submit" busy={form.formState.isSubmitting}>
            {t('account.changeAddress')}
          </Button>
        </div>
      </form>
    </Panel>
  )
}
