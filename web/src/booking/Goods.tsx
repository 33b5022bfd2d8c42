/** What is carried, as those see it who carry it, sent it or look after it. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { weight } from '@/i18n/format.ts'

/** In one line: how much, and what it wants. */
export function LoadLine({ load }: { load: Schemas['Load'] | undefined }) {
  const { t } = useTranslation()
  if (load === undefined) return null
  const said = [t('parcel.pieces', { count: load.pieces })]
  if (load.weight_g > 0) said.push(weight(load.weight_g / 1000))
  return <p className="figures">{[...said, ...load.handling.map((h) => t(`parcel.${h}`))].join(' · ')}</p>
}

export function GoodsList({ goods }: { goods: Schemas['Goods'][] | undefined }) {
  const { t } = useTranslation()
  if (goods === undefined) return null
  return (
    <ul aria-label={t('parcel.title')} className="figures">
      {goods.map((item, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: goods have no other name, and do not move
        <li key={index}>
          {item.count !== undefined && item.count > 1 && `${item.count} × `}
          <bdi>{item.name}</bdi>
          <span className="text-quiet">
            {item.weight_g !== undefined && ` · ${weight(item.weight_g / 1000)}`}
            {item.handling?.map((h) => ` · ${t(`parcel.${h}`)}`)}
          </span>
        </li>
      ))}
    </ul>
  )
}
