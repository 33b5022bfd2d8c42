import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, Navigate, useSearchParams } from 'react-router'
import { Problem } from '@/api/problem.ts'
import { signIn } from '@/api/session.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'
import { useUser } from './hooks.ts'

function PasswordFields() {
  const { t } = useTranslation()
  return (
    <>
      <Field label={t('field.email')} name="email" type="email" autoComplete="username" required dir="ltr" />
      <Field
        label={t('field.password')}
        name="password"
        type="password"
        autoComplete="current-password"
        required
        dir="ltr"
      />
    </>
  )
}

/** The digits of an authenticator, or a recovery code: so no numeric keyboard. */
function CodeField() {
  const { t } = useTranslation()
  return (
    <Field
      label={t('field.code')}
      hint={t('field.codeHint')}
      name="code"
      autoComplete="one-time-code"
      autoFocus
      minLength={6}
      maxLength={40}
      required
      dir="ltr"
    />
  )
}

export function Component() {
  const { t } = useTranslation()
  const user = useUser()
  const [query] = useSearchParams()
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  /** What was right so far, where the account has a second factor. */
  const [known, setKnown] = useState<{ email: string; password: string } | null>(null)
  const next = query.get('next') ?? '/'
  if (user !== null)
    return <Navigate to={next.startsWith('/') && !next.startsWith('//') ? next : '/'} replace />

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '')
    const { email, password } = known ?? { email: text('email'), password: text('password') }
    setBusy(true)
    setError(null)
    try {
      await signIn(email, password, known === null ? undefined : text('code').trim())
    } catch (refusal) {
      const wanted = refusal instanceof Problem && refusal.kind === 'second-factor-required'
      if (wanted) setKnown({ email, password })
      else setError(refusal)
    } finally {
      setBusy(false)
    }
  }

  return (
    <div className="mx-auto grid max-w-sm gap-4 p-4 pt-12">
      <h1 className="text-xl font-semibold">{t('signIn.title')}</h1>
      <form key={known === null ? 'password' : 'code'} onSubmit={submit} className="grid gap-4">
        {known === null ? <PasswordFields /> : <CodeField />}
        {error !== null && <Failure error={error} />}
        <Button kind="primary" type="submit" busy={busy}>
          {t('signIn.do')}
        </Button>
        {known !== null && (
          <Button
            type="button"
            onClick={() => {
              setKnown(null)
              setError(null)
            }}
          >
            {t('signIn.other')}
          </Button>
        )}
      </form>
      <Link to="/reset-password" className="text-accent underline">
        {t('signIn.forgot')}
      </Link>
      <p className="text-quiet">
        {t('signIn.new')}{' '}
        <Link to="/register" className="text-accent underline">
          {t('signIn.register')}
        </Link>
      </p>
    </div>
  )
}
