/** The end of an account: said plainly, with the password again, and only where nothing is under way. */
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate } from 'react-router'
import { api } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { forget } from '@/api/session.ts'
import { Button, Failure, Field, Panel } from '@/ui/index.tsx'

export function Erase() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [asked, setAsked] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  async function erase(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const password = String(new FormData(event.currentTarget).get('password'))
    setBusy(true)
    setError(null)
    try {
      await api.DELETE('/v1/me', { body: { password } })
      forget()
      navigate('/sign-in')
    } catch (refusal) {
      setError(refusal)
      setBusy(false)
    }
  }
  return (
    <Panel className="grid grid-cols-1 gap-3 p-4">
      <h2 className="text-lg font-semibold">{t('account.erase')}</h2>
      <p>{t('account.eraseMore')}</p>
      {!asked ? (
        <div>
          <Button kind="danger" onClick={() => setAsked(true)}>
            {t('account.erase')}
          </Button>
        </div>
      ) : (
        <form onSubmit={erase} className="grid grid-cols-1 gap-3" aria-label={t('account.erase')}>
          <Field
            label={t('account.password')}
            name="password"
            type="password"
            autoComplete="current-password"
            required
            autoFocus
            dir="ltr"
          />
          {error !== null && <Refused error={error} />}
          <div className="flex flex-wrap gap-2">
            <Button kind="danger" type="submit" busy={busy}>
              {t('account.eraseDo')}
            </Button>
            <Button onClick={() => setAsked(false)}>{t('set.cancel')}</Button>
          </div>
        </form>
      )}
    </Panel>
  )
}

/** Bookings that have not ended are named, each with the way to it. */
function Refused({ error }: { error: unknown }) {
  const { t } = useTranslation()
  const ids =
    error instanceof Problem && Array.isArray(error.members.booking_ids) ? error.members.booking_ids : []
  if (ids.length === 0) return <Failure error={error} />
  return (
    <div role="alert" className="grid grid-cols-1 gap-2 rounded-control border border-bad p-3">
      <p>{t('account.eraseOpen')}</p>
      <ul>
        {ids.map((id) => (
          <li key={String(id)}>
            <Link
              className="inline-flex min-h-touch items-center text-accent underline break-all"
              to={`/book/${id}`}
            >
              <bdi dir="ltr">{String(id)}</bdi>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  )
}
