import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, Navigate, useSearchParams } from 'react-router'
import { signIn } from '@/api/session.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'
import { useUser } from './hooks.ts'

export function Component() {
  const { t } = useTranslation()
  const user = useUser()
  const [query] = useSearchParams()
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const next = query.get('next') ?? '/'
  if (user !== null)
    return <Navigate to={next.startsWith('/') && !next.startsWith('//') ? next : '/'} replace />

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    setBusy(true)
    setError(null)
    try {
      await signIn(String(form.get('email')), String(form.get('password')))
    } catch (refusal) {
      setError(refusal)
    } finally {
      setBusy(false)
    }
  }

  return (
    <div className="mx-auto grid max-w-sm gap-4 p-4 pt-12">
      <h1 className="text-xl font-semibold">{t('signIn.title')}</h1>
      <form onSubmit={submit} className="grid gap-4">
        <Field
          label={t('field.email')}
          name="email"
          type="email"
          autoComplete="username"
          required
          dir="ltr"
        />
        <Field
          label={t('field.password')}
          name="password"
          type="password"
          autoComplete="current-password"
          required
          dir="ltr"
        />
        {error !== null && <Failure error={error} />}
        <Button kind="primary" type="submit" busy={busy}>
          {t('signIn.do')}
        </Button>
      </form>
      <p className="text-quiet">
        {t('signIn.new')}{' '}
        <Link to="/register" className="text-accent underline">
          {t('signIn.register')}
        </Link>
      </p>
    </div>
  )
}
