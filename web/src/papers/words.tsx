/** What is shown of a document wherever it is: its kind, its state, when it expires. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { day } from '@/i18n/format.ts'

type Document = Schemas['DriverDocument']
const marks: Record<Document['state'], [string, string]> = {
  submitted: ['◌', 'text-waits'],
  approved: ['✓', 'text-good'],
  rejected: ['✕', 'text-bad'],
  expired: ['!', 'text-bad'],
}

/** Kinds that the operator has made up are called what he calls them. */
export function useKind(): (kind: string) => string {
  const { t } = useTranslation()
  return (kind) => t(`papers.kind.${kind}`, { defaultValue: kind.replaceAll('_', ' ') })
}

export function DocumentState({ document }: { document: Document }) {
  const { t } = useTranslation()
  const [mark, tone] = marks[document.state]
  return (
    <p className="flex flex-wrap gap-x-3">
      <span className={tone}>
        <span aria-hidden>{mark}</span> {t(`papers.state.${document.state}`)}
      </span>
      <span className="text-quiet">
        {document.expires_at === null
          ? t('papers.forever')
          : t('papers.until', { day: day(document.expires_at) })}
      </span>
      {document.reason !== null && <span className="w-full">{document.reason}</span>}
    </p>
  )
}
