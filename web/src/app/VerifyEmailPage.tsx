import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useSearchParams } from 'react-router'
import { send } from '@/api/session.ts'
import { Button, Failure } from '@/ui/index.tsx'

/** A click, not the visit, confirms: mail programs open links to look at them. */
export function Component() {
  const { t } = useTranslation()
  const [query] = useSearchParams()
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const [done, setDone] = useState(false)

  async function confirm() {
    setBusy(true)
    setError(null)
    try {
      await send('/v1/auth/email/confirm', { token: query.get('token') ?? '' })
      setDone(true)
    } catch (refusal) {
      setError(refusal)
    } finally {
      setBusy(false)
    }
  }

  return (
    <div className="mx-auto grid max-w-sm gap-4 p-4 pt-12">
      <h1 className="text-xl font-semibold">{t('verify.title')}</h1>
      {done ? (
        <p role="status">{t('verify.done')}</p>
      ) : (
        <Button kind="primary" busy={busy} onClick={confirm}>
          {t('verify.do')}
        </Button>
      )}
      {error !== null && <Failure error={error} />}
      <Link to="/" className="text-accent underline">
        {t('verify.on')}
      </Link>
    </div>
  )
}
