/** Tariffs line by line; beside another version, what differs is marked, by a word as well. */
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { CheckField } from '@/ui/form.tsx'
import { cx, Empty, Panel } from '@/ui/index.tsx'
import type { Pair } from './compare.ts'

/** OLD: the name of what it is compared with; null: nothing is. */
export function Differences({ pairs, old, now }: { pairs: Pair[]; old: string | null; now: string }) {
  const { t } = useTranslation()
  const [all, setAll] = useState(false)
  const differ = pairs.filter((p) => p.old !== p.new)
  const shown = old === null || all ? pairs : differ
  const groups = [...new Set(shown.map((p) => p.group))]
  return (
    <div className="grid grid-cols-1 gap-2">
      {old !== null && (
        <div className="flex flex-wrap items-center gap-4">
          <p role="status">{t('tariffs.differences', { count: differ.length })}</p>
          <CheckField
            label={t('tariffs.same')}
            checked={all}
            onChange={(event) => setAll(event.target.checked)}
          />
        </div>
      )}
      {shown.length === 0 && <Empty>{t('tariffs.equal')}</Empty>}
      {groups.map((group) => (
        <Panel key={group} className="overflow-hidden">
          <table className="w-full table-fixed text-sm">
            <caption className="bg-raised px-3 py-2 text-start font-semibold">
              <bdi>{group}</bdi>
            </caption>
            <thead className={cx(old === null && 'sr-only')}>
              <tr className="text-quiet">
                <th scope="col" className="px-3 py-1 text-start font-medium">
                  {t('tariffs.what')}
                </th>
                {old !== null && (
                  <th scope="col" className="px-3 py-1 text-end font-medium">
                    {old}
                  </th>
                )}
                <th scope="col" className="px-3 py-1 text-end font-medium">
                  {now}
                </th>
              </tr>
            </thead>
            <tbody>
              {shown
                .filter((p) => p.group === group)
                .map((p) => (
                  <Row key={p.key} pair={p} compared={old !== null} />
                ))}
            </tbody>
          </table>
        </Panel>
      ))}
    </div>
  )
}

function Row({ pair, compared }: { pair: Pair; compared: boolean }) {
  const { t } = useTranslation()
  const differs = compared && pair.old !== pair.new
  return (
    <tr className="border-t border-line">
      <th scope="row" className="px-3 py-2 text-start font-normal wrap-anywhere">
        {pair.name}
        {differs && <span className="sr-only"> ({t('tariffs.differs')})</span>}
      </th>
      {compared && (
        <td className={cx('figures px-3 py-2 text-end wrap-anywhere', differs && 'text-quiet line-through')}>
          {pair.old ?? '—'}
        </td>
      )}
      <td className={cx('figures px-3 py-2 text-end wrap-anywhere', differs && 'font-semibold')}>
        {pair.new ?? '—'}
      </td>
    </tr>
  )
}
