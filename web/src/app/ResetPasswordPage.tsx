import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useSearchParams } from 'react-router'
import { send } from '@/api/session.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'

/** Without a token: asks for a mail. With the one of that mail: takes the new password. */
export function Component() {
  const { t } = useTranslation()
  const [query] = useSearchParams()
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const [done, setDone] = useState(false)
  const token = query.get('token')

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '')
    setBusy(true)
    setError(null)
    try {
      if (token === null) await send('/v1/auth/password-reset', { email: text('email') })
      else await send('/v1/auth/password-reset/confirm', { token, new_password: text('password') })
      setDone(true)
    } catch (refusal) {
      setError(refusal)
    } finally {
      setBusy(false)
    }
  }

  return (
    <div className="mx-auto grid max-w-sm gap-4 p-4 pt-12">
      <h1 className="text-xl font-semibold">{t('reset.title')}</h1>
      {done ? (
        <p role="status">{t(token === null ? 'reset.sent' : 'reset.done')}</p>
      ) : (
        <form onSubmit={submit} className="grid gap-4">
          {token === null ? (
            <Field
              label={t('field.email')}
              name="email"
              type="email"
              autoComplete="username"
              required
              dir="ltr"
            />
          ) : (
            <Field
              label={t('reset.password')}
              hint={t('field.passwordHint')}
              name="password"
              type="password"
              autoComplete="new-password"
              minLength={8}
              required
              dir="ltr"
            />
          )}
          {error !== null && <Failure error={error} />}
          <Button kind="primary" type="submit" busy={busy}>
            {t(token === null ? 'reset.ask' : 'reset.do')}
          </Button>
        </form>
      )}
      <Link to="/sign-in" className="text-accent underline">
        {t('signIn.do')}
      </Link>
    </div>
  )
}
