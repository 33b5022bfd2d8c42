import { zodResolver } from '@hookform/resolvers/zod'
import { useState } from 'react'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { Link, Navigate, useSearchParams } from 'react-router'
import { z } from 'zod'
import { Problem } from '@/api/problem.ts'
import { register as registerAccount } from '@/api/session.ts'
import { latinDigits } from '@/i18n/format.ts'
import { Button, cx, Failure, Field } from '@/ui/index.tsx'
import { useUser } from './hooks.ts'

z.config({ jitless: true }) // it would try to compile, which the policy against injected scripts forbids
const schema = z.object({
  name: z.string().trim().min(1, 'invalid.required').max(100, 'invalid.long'),
  email: z.email('invalid.email'),
  phone: z
    .string()
    .overwrite(latinDigits)
    .regex(/^$|^\+[1-9]\d{6,14}$/, 'invalid.phone'),
  password: z.string().min(8, 'invalid.password').max(128, 'invalid.long'),
  role: z.enum(['customer', 'driver']),
})
type Values = z.infer<typeof schema>

export function Component() {
  const { t } = useTranslation()
  const user = useUser()
  const [error, setError] = useState<unknown>(null)
  const as = useSearchParams()[0].get('as') === 'driver' ? 'driver' : 'customer'
  const form = useForm<Values>({
    resolver: zodResolver(schema),
    defaultValues: { name: '', email: '', phone: '', password: '', role: as },
  })
  if (user !== null) return <Navigate to="/" replace />
  const said = (name: keyof Values) => {
    const message = form.formState.errors[name]?.message
    return message?.startsWith('invalid.') ? t(message) : message
  }
  const submit = form.handleSubmit(async ({ phone, ...values }) => {
    setError(null)
    try {
      await registerAccount(phone ? { ...values, phone } : values)
    } catch (refusal) {
      const fields = refusal instanceof Problem ? refusal.fields : []
      for (const { pointer, detail } of fields)
        form.setError(pointer.slice(1) as keyof Values, { message: detail })
      if (fields.length === 0) setError(refusal)
    }
  })
  const role = form.watch('role')

  return (
    <div className="mx-auto grid max-w-sm gap-4 p-4 pt-12">
      <h1 className="text-xl font-semibold">{t('register.title')}</h1>
      <form onSubmit={submit} className="grid gap-4" noValidate>
        <fieldset className="grid grid-cols-2 gap-2">
          <legend className="sr-only">{t('register.role')}</legend>
          {(['customer', 'driver'] as const).map((each) => (
            <label
              key={each}
              className={cx(
                'flex min-h-touch items-center justify-center rounded-control border has-focus-visible:outline-2',
                role === each ? 'border-accent font-semibold text-accent' : 'border-line',
              )}
            >
              <input type="radio" value={each} className="sr-only" {...form.register('role')} />
              {t(`register.${each}`)}
            </label>
          ))}
        </fieldset>
        <Field label={t('field.name')} autoComplete="name" error={said('name')} {...form.register('name')} />
        <Field
          label={t('field.email')}
          type="email"
          dir="ltr"
          autoComplete="email"
          error={said('email')}
          {...form.register('email')}
        />
        <Field
          label={t('field.phone')}
          hint={t('field.phoneHint')}
          type="tel"
          dir="ltr"
          autoComplete="tel"
          error={said('phone')}
          {...form.register('phone')}
        />
        <Field
          label={t('field.password')}
          hint={t('field.passwordHint')}
          type="password"
          dir="ltr"
          autoComplete="new-password"
          error={said('password')}
          {...form.register('password')}
        />
        {error !== null && <Failure error={error} />}
        <Button kind="primary" type="submit" busy={form.formState.isSubmitting}>
          {t('register.do')}
        </Button>
      </form>
      <p className="text-quiet">
        {t('register.have')}{' '}
        <Link to="/sign-in" className="text-accent underline">
          {t('signIn.do')}
        </Link>
      </p>
    </div>
  )
}
