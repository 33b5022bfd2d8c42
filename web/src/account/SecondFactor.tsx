/** The second factor: a secret for an authenticator app, a code that proves it arrived there, recovery codes for when it is lost. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { encode } from 'uqr'
import { api, data, type Schemas } from '@/api/client.ts'
import { accessToken, updateUser } from '@/api/session.ts'
import { latinDigits } from '@/i18n/format.ts'
import { Button, Failure, Field, Panel, Skeleton } from '@/ui/index.tsx'
import { ShownOnce } from '@/ui/ShownOnce.tsx'
import { toast } from '@/ui/toast.tsx'

type Step =
  | { at: 'rest' | 'begin' | 'remove' }
  | { at: 'code'; secret: Schemas['SecondFactorSecret'] }
  | { at: 'codes'; codes: string[] }

export function SecondFactor() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const me = useQuery({ queryKey: ['me'], queryFn: () => data(api.GET('/v1/me')) })
  const [step, setStep] = useState<Step>({ at: 'rest' })
  /** What the token says of the second factor is of when it was made. */
  async function changed() {
    const token = await accessToken()
    if (token !== null) await accessToken(token)
    const now = await client.fetchQuery({
      queryKey: ['me'],
      queryFn: () => data(api.GET('/v1/me')),
      staleTime: 0,
    })
    updateUser(now)
    void client.invalidateQueries({ queryKey: ['sessions'] })
  }
  if (step.at === 'codes')
    return (
      <ShownOnce
        title={t('account.factor.codes')}
        text={t('account.factor.codesMore')}
        secret={step.codes.join('\n')}
        onDone={() => setStep({ at: 'rest' })}
      />
    )
  return (
    <Panel className="grid grid-cols-1 gap-3 p-4">
      <h2 className="text-lg font-semibold">{t('account.factor.title')}</h2>
      {me.isPending && <Skeleton className="h-10" />}
      {me.error && <Failure error={me.error} retry={() => void me.refetch()} />}
      {me.data && (
        <p>
          <span className={me.data.second_factor ? 'text-good' : 'text-waits'}>
            {me.data.second_factor ? '● ' : '○ '}
            {t(me.data.second_factor ? 'account.factor.on' : 'account.factor.off')}
          </span>
        </p>
      )}
      {me.data && step.at === 'rest' && (
        <div>
          <Button onClick={() => setStep({ at: me.data.second_factor ? 'remove' : 'begin' })}>
            {t(me.data.second_factor ? 'account.factor.remove' : 'account.factor.add')}
          </Button>
        </div>
      )}
      {step.at === 'begin' && (
        <Ask
          key="begin"
          password
          label={t('account.password')}
          action={t('account.factor.begin')}
          onCancel={() => setStep({ at: 'rest' })}
          send={async (password) => {
            const secret = await data(api.POST('/v1/me/second-factor', { body: { password } }))
            setStep({ at: 'code', secret })
          }}
        />
      )}
      {step.at === 'code' && (
        <>
          <p>{t('account.factor.scan')}</p>
          <Qr text={step.secret.otpauth_uri} label={t('account.factor.qr')} />
          <p className="text-sm">
            {t('account.factor.byHand')}{' '}
            <code dir="ltr" className="break-all select-all">
              {step.secret.secret}
            </code>
          </p>
          <Ask
            key="code"
            label={t('field.code')}
            action={t('account.factor.confirm')}
            onCancel={() => setStep({ at: 'rest' })}
            send={async (code) => {
              const { recovery_codes } = await data(
                api.POST('/v1/me/second-factor/confirm', { body: { code } }),
              )
              setStep({ at: 'codes', codes: recovery_codes })
              await changed()
            }}
          />
        </>
      )}
      {step.at === 'remove' && (
        <Ask
          key="remove"
          label={t('field.code')}
          hint={t('field.codeHint')}
          action={t('account.factor.remove')}
          onCancel={() => setStep({ at: 'rest' })}
          send={async (code) => {
            await api.POST('/v1/me/second-factor/remove', { body: { code } })
            setStep({ at: 'rest' })
            toast(t('account.factor.removed'))
            await changed()
          }}
        />
      )}
    </Panel>
  )
}

type AskProps = {
  label: string
  hint?: string
  action: string
  password?: boolean
  send: (text: string) => Promise<void>
  onCancel: () => void
}
/** One field, and what comes of it. */
function Ask({ label, hint, action, password = false, send, onCancel }: AskProps) {
  const { t } = useTranslation()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const text = String(new FormData(event.currentTarget).get('text'))
    setBusy(true)
    setError(null)
    try {
      await send(password ? text : latinDigits(text.trim()))
    } catch (refusal) {
      setError(refusal)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form onSubmit={submit} className="grid grid-cols-1 gap-3">
      <Field
        label={label}
        {...(hint && { hint })}
        name="text"
        required
        autoFocus
        dir="ltr"
        {...(password
          ? { type: 'password', autoComplete: 'current-password' }
          : { autoComplete: 'one-time-code', minLength: 6, maxLength: 40 })}
      />
      {error !== null && <Failure error={error} />}
      <div className="flex flex-wrap gap-2">
        <Button kind="primary" type="submit" busy={busy}>
          {action}
        </Button>
        <Button onClick={onCancel}>{t('set.cancel')}</Button>
      </div>
    </form>
  )
}

/** Dark on light in every theme: that is how cameras read it. */
function Qr({ text, label }: { text: string; label: string }) {
  const { data: cells, size } = encode(text, { border: 2 })
  const path = cells
    .flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])))
    .join('')
  return (
    <svg
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={label}
      shapeRendering="crispEdges"
      className="w-56 max-w-full rounded-control bg-white fill-black"
    >
      <path d={path} />
    </svg>
  )
}
