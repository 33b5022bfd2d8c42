/** What must be shown before a stop is done. Nothing is chosen at first: then it is as the house has it. */
import { useId } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Button } from '@/ui/index.tsx'

export const words = () => loadWords('proofs')

type Kind = Schemas['ProofKind']
const kinds: Kind[] = ['pin', 'photo', 'signature', 'name']

/** CHOSEN absent: as usual; empty: nothing is asked for. */
type Props = { stop: string; chosen: Kind[] | undefined; onChoose: (chosen: Kind[] | undefined) => void }
export function ProofChoice({ stop, chosen, onChoose }: Props) {
  const { t, i18n } = useTranslation()
  const id = useId()
  const list = new Intl.ListFormat(i18n.language, { type: 'conjunction' })
  const said =
    chosen === undefined
      ? t('proofs.usual')
      : chosen.length === 0
        ? t('proofs.none')
        : list.format(chosen.map((kind) => t(`proofs.short.${kind}`)))
  return (
    <details className="sm:col-span-2">
      <summary className="flex min-h-touch cursor-pointer items-center gap-1 text-sm">
        <span className="text-quiet">{t('proofs.title')}</span> <span aria-live="polite">{said}</span>
      </summary>
      <fieldset className="grid gap-x-4 sm:grid-cols-2" aria-describedby={id}>
        <legend className="sr-only">{t('proofs.of', { stop })}</legend>
        {kinds.map((kind) => (
          <label key={kind} className="flex min-h-touch items-center gap-3">
            <input
              type="checkbox"
              className="size-5 shrink-0 accent-(--accent)"
              checked={chosen?.includes(kind) ?? false}
              onChange={(event) =>
                onChoose(
                  kinds.filter((k) => (k === kind ? event.target.checked : (chosen?.includes(k) ?? false))),
                )
              }
            />
            {t(`proofs.${kind}`)}
          </label>
        ))}
      </fieldset>
      <p id={id} className="text-sm text-quiet">
        {chosen?.includes('pin') ? t('proofs.pinMore') : t('proofs.more')}
      </p>
      <div className="flex flex-wrap gap-2">
        <Button size="compact" aria-pressed={chosen === undefined} onClick={() => onChoose(undefined)}>
          {t('proofs.asUsual')}
        </Button>
        <Button size="compact" aria-pressed={chosen?.length === 0} onClick={() => onChoose([])}>
          {t('proofs.askNothing')}
        </Button>
      </div>
    </details>
  )
}
