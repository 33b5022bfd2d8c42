/** What was given at a stop: who took the goods, and pictures. By the tracking link, so that whoever may see the page may
 * see them. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { clock } from '@/i18n/format.ts'

type Given = NonNullable<Schemas['StopProof']['given']>
export function ProofOf({ given, token }: { given: Given; token: string }) {
  const { t } = useTranslation()
  const pictures = (['photo', 'signature'] as const).filter((kind) => given[kind] !== undefined)
  return (
    <div className="grid gap-2 text-sm text-quiet">
      <p>
        ✓{' '}
        {given.name
          ? t('proof.takenBy', { name: given.name, when: clock(given.at) })
          : t('proof.proven', { when: clock(given.at) })}
        {given.pin && ` · ${t('proof.pinRight')}`}
      </p>
      {pictures.length > 0 && (
        <div className="flex flex-wrap gap-2">
          {pictures.map((kind) => (
            <a
              key={kind}
              href={`/v1/track/${token}/files/${given[kind]?.id}`}
              target="_blank"
              rel="noreferrer"
              aria-label={t(`proof.show.${kind}`)}
            >
              <img
                src={`/v1/track/${token}/files/${given[kind]?.id}`}
                alt={t(`proof.show.${kind}`)}
                loading="lazy"
                className="h-24 max-w-full rounded-control border border-line bg-white object-contain"
              />
            </a>
          ))}
        </div>
      )}
    </div>
  )
}
