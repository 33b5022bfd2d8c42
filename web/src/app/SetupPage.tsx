/** The first run: the first administrator by the code that the server printed, then what it charges, then people. */
import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, Navigate } from 'react-router'
import { api, data } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { setUp } from '@/api/session.ts'
import { clock, money } from '@/i18n/format.ts'
import { Button, Empty, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { setupQuery, useUser } from './hooks.ts'

export function Component() {
  const { t } = useTranslation()
  const user = useUser()
  const [began, setBegan] = useState(false)
  const state = useQuery(setupQuery)
  if (began && user !== null) return <Next />
  if (state.error) return <Failure error={state.error} retry={() => void state.refetch()} />
  if (state.data === undefined) return <Skeleton className="m-4 h-40" />
  if (user !== null) return <Navigate to="/" replace />
  if (!state.data.needed)
    return (
      <>
        <h1 className="sr-only">{t('setup.title')}</h1>
        <Empty
          action={
            <Button asChild>
              <Link to="/sign-in">{t('signIn.do')}</Link>
            </Button>
          }
        >
          {t('problem.setup-done')}
        </Empty>
      </>
    )
  return <FirstAdmin expires={state.data.code_expires_at} done={() => setBegan(true)} />
}

const said = (error: unknown, field: string) =>
  error instanceof Problem ? error.fields.find((f) => f.pointer === `/${field}`)?.detail : undefined

function FirstAdmin({ expires, done }: { expires: string | null; done: () => void }) {
  const { t } = useTranslation()
  const make = useMutation({ mutationFn: setUp, onMutate: done })
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const [code = '', name = '', email = '', password = ''] = ['code', 'name', 'email', 'password'].map((f) =>
      String(form.get(f)).trim(),
    )
    make.mutate({ code, name, email, password })
  }
  const fields = make.error instanceof Problem && make.error.fields.length > 0
  return (
    <div className="mx-auto grid max-w-sm gap-4 p-4 pt-12">
      <h1 className="text-xl font-semibold">{t('setup.title')}</h1>
      <p>{expires ? t('setup.code', { time: clock(expires) }) : t('setup.over')}</p>
      <form onSubmit={submit} className="grid gap-4">
        <Field
          label={t('setup.codeField')}
          name="code"
          required
          minLength={12}
          maxLength={40}
          autoComplete="one-time-code"
          autoCapitalize="characters"
          spellCheck={false}
          dir="ltr"
          placeholder="XXXX-XXXX-XXXX"
          error={said(make.error, 'code')}
        />
        <Field
          label={t('field.name')}
          name="name"
          required
          maxLength={100}
          autoComplete="name"
          error={said(make.error, 'name')}
        />
        <Field
          label={t('field.email')}
          name="email"
          type="email"
          required
          dir="ltr"
          autoComplete="username"
          error={said(make.error, 'email')}
        />
        <Field
          label={t('field.password')}
          hint={t('field.passwordHint')}
          name="password"
          type="password"
          required
          minLength={8}
          maxLength={128}
          dir="ltr"
          autoComplete="new-password"
          error={said(make.error, 'password')}
        />
        {make.error !== null && !fields && <Failure error={make.error} />}
        <Button kind="primary" type="submit" busy={make.isPending}>
          {t('setup.do')}
        </Button>
      </form>
    </div>
  )
}

/** What comes after: each part says what holds and where it is changed; none of it must be done now. */
function Next() {
  const { t } = useTranslation()
  return (
    <div className="mx-auto grid max-w-2xl gap-4 p-4 pt-8">
      <h1 className="text-xl font-semibold">{t('setup.next')}</h1>
      <Prices />
      <Drivers />
      <Demo />
      <Button kind="primary" asChild className="justify-self-start">
        <Link to="/dispatch">{t('setup.open')}</Link>
      </Button>
    </div>
  )
}

function Prices() {
  const { t } = useTranslation()
  const tariffs = useQuery({ queryKey: ['tariffs'], queryFn: () => data(api.GET('/v1/tariffs')) })
  return (
    <Panel className="grid gap-2 p-4">
      <h2 className="text-lg font-semibold">{t('setup.prices')}</h2>
      {tariffs.error && <Failure error={tariffs.error} retry={() => void tariffs.refetch()} />}
      {tariffs.data && (
        <table className="figures w-full text-sm">
          <thead className="text-start text-quiet">
            <tr>
              <th className="text-start font-medium">{t('setup.vehicle')}</th>
              <th className="text-end font-medium">{t('setup.base')}</th>
              <th className="text-end font-medium">{t('setup.perKm')}</th>
              <th className="text-end font-medium">{t('setup.minimum')}</th>
            </tr>
          </thead>
          <tbody>
            {tariffs.data.items.map((item) => (
              <tr key={`${item.vehicle}/${item.zone ?? ''}`} className="border-t border-line">
                <td>{t(`vehicle.${item.vehicle}`)}</td>
                <td className="text-end">{money(item.base, tariffs.data.currency)}</td>
                <td className="text-end">{money(item.per_km, tariffs.data.currency)}</td>
                <td className="text-end">{money(item.minimum, tariffs.data.currency)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p className="text-sm text-quiet">{t('setup.pricesMore')}</p>
    </Panel>
  )
}

function Drivers() {
  const { t } = useTranslation()
  const [copied, setCopied] = useState(false)
  const link = `${window.location.origin}/register?as=driver`
  return (
    <Panel className="grid gap-2 p-4">
      <h2 className="text-lg font-semibold">{t('setup.drivers')}</h2>
      <p className="text-sm text-quiet">{t('setup.driversMore')}</p>
      <div className="flex flex-wrap items-end gap-2">
        <Field label={t('setup.link')} value={link} readOnly dir="ltr" className="grow" />
        <Button onClick={() => void navigator.clipboard.writeText(link).then(() => setCopied(true))}>
          {copied ? t('setup.copied') : t('setup.copy')}
        </Button>
      </div>
    </Panel>
  )
}

function Demo() {
  const { t } = useTranslation()
  const state = useQuery(setupQuery)
  const fill = useMutation({ mutationFn: () => api.POST('/v1/setup/demo') })
  if (!state.data?.can_fill) return null
  return (
    <Panel className="grid gap-2 p-4">
      <h2 className="text-lg font-semibold">{t('setup.demo')}</h2>
      <p className="text-sm text-quiet">{t('setup.demoMore')}</p>
      {fill.error && <Failure error={fill.error} />}
      {fill.isSuccess ? (
        <p role="status">{t('setup.demoDone')}</p>
      ) : (
        <Button className="justify-self-start" busy={fill.isPending} onClick={() => fill.mutate()}>
          {t('setup.demoDo')}
        </Button>
      )}
    </Panel>
  )
}
