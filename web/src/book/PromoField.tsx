/** A promo code: asked for when the person says so; refused in words, and let go with one press. */
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem } from '@/api/problem.ts'
import { Button, Field } from '@/ui/index.tsx'
import { useDraft } from './draft.ts'

/** Is ERROR about the promo code? */
export function isOfPromo(error: unknown): error is Problem {
  return error instanceof Problem && error.kind.startsWith('promo-')
}

export function PromoField({ error }: { error: unknown }) {
  const { t } = useTranslation()
  const [draft, change] = useDraft()
  const applied = draft.promo ?? ''
  const [typed, type] = useState(applied)
  const refused = isOfPromo(error) ? t(`promo.${error.kind}`) : undefined
  const apply = (event: FormEvent) => {
    event.preventDefault()
    change({ promo: typed.trim() })
  }
  if (applied !== '' && refused === undefined)
    return (
      <p className="flex flex-wrap items-center gap-3">
        <span className="grow">{t('promo.applied', { code: applied.toUpperCase() })}</span>
        <Button
          onClick={() => {
            type('')
            change({ promo: '' })
          }}
        >
          {t('promo.without')}
        </Button>
      </p>
    )
  return (
    <details open={refused !== undefined}>
      <summary className="min-h-touch content-center font-medium">{t('promo.title')}</summary>
      <form className="grid grid-cols-[1fr_auto] items-end gap-2" onSubmit={apply}>
        <Field
          className={refused ? 'col-span-2' : ''}
          label={t('promo.code')}
          value={typed}
          autoComplete="off"
          autoCapitalize="characters"
          dir="ltr"
          maxLength={40}
          error={refused}
          onChange={(e) => type(e.target.value)}
        />
        <Button type="submit" disabled={typed.trim() === ''}>
          {t('promo.apply')}
        </Button>
        {refused !== undefined && (
          <Button
            onClick={() => {
              type('')
              change({ promo: '' })
            }}
          >
            {t('promo.without')}
          </Button>
        )}
      </form>
    </details>
  )
}
