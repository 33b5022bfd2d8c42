/** Now, or at a time that is chosen. */
import { Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { serverNow } from '@/api/session.ts'
import { part } from '@/app/part.ts'
import { useDraft } from '@/book/draft.ts'
import { Skeleton } from '@/ui/index.tsx'
import { sent, suggested, useAreaZone, windowOf } from './zone.ts'

const WhenFields = part(async () => {
  const { words, WhenFields } = await import('./WhenFields.tsx')
  await words()
  return { default: WhenFields }
})

export function NowOrLater() {
  const { t } = useTranslation()
  const [draft, change] = useDraft()
  const zone = useAreaZone()
  const later = draft.when !== null
  const radio = 'flex min-h-touch items-center gap-2'
  return (
    <fieldset className="grid gap-2">
      <legend className="text-sm font-medium">{t('later.when')}</legend>
      <div className="flex flex-wrap gap-x-4">
        <label className={radio}>
          <input
            type="radio"
            name="when"
            className="size-5 shrink-0 accent-(--accent)"
            checked={!later}
            onChange={() => change({ when: null })}
          />
          {t('later.now')}
        </label>
        <label className={radio}>
          <input
            type="radio"
            name="when"
            className="size-5 shrink-0 accent-(--accent)"
            checked={later}
            onChange={() => change({ when: suggested(serverNow(), zone) })}
          />
          {t('later.later')}
        </label>
      </div>
      {draft.when && (
        <Suspense fallback={<Skeleton className="h-32" />}>
          <WhenFields zone={zone} when={draft.when} onChange={(when) => change({ when })} />
        </Suspense>
      )}
    </fieldset>
  )
}

/** The window that a draft asks for, as it is sent; undefined: now. */
export function useDraftWindow() {
  const [draft] = useDraft()
  const zone = useAreaZone()
  if (draft.when === null) return undefined
  const window = windowOf(draft.when, zone)
  return Number.isNaN(window.from) || Number.isNaN(window.to) ? undefined : sent(window)
}
