/** What the bookings of last week would have cost. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { day, money, number, percent } from '@/i18n/format.ts'
import { cx, Empty, Panel } from '@/ui/index.tsx'

export function Preview({ preview }: { preview: Schemas['TariffsPreview'] }) {
  const { t } = useTranslation()
  const { classes, currency } = preview
  return (
    <Panel className="grid grid-cols-1 gap-2 p-4">
      <h2 className="text-lg font-semibold">{t('tariffs.weighed')}</h2>
      <p className="text-sm text-quiet">
        {t(preview.complete ? 'tariffs.weighedOf' : 'tariffs.weighedSome', {
          count: preview.bookings,
          from: day(preview.from),
          to: day(preview.to),
        })}
      </p>
      {preview.bookings === 0 ? (
        <Empty>{t('tariffs.weighedNone')}</Empty>
      ) : (
        <table className="figures w-full table-fixed text-sm">
          <caption className="sr-only">{t('tariffs.weighed')}</caption>
          <thead className="text-quiet">
            <tr>
              <th scope="col" className="text-start font-medium">
                {t('tariffs.vehicle')}
              </th>
              <th scope="col" className="text-end font-medium max-md:hidden">
                {t('tariffs.bookings')}
              </th>
              <th scope="col" className="text-end font-medium">
                {t('tariffs.was')}
              </th>
              <th scope="col" className="text-end font-medium">
                {t('tariffs.would')}
              </th>
              <th scope="col" className="text-end font-medium">
                {t('tariffs.change1')}
              </th>
            </tr>
          </thead>
          <tbody>
            {classes.map((c) => (
              <Sums key={c.vehicle} name={t(`vehicle.${c.vehicle}`)} {...c} currency={currency} />
            ))}
            <Sums
              name={t('tariffs.together')}
              bookings={preview.bookings}
              not_offered={classes.reduce((sum, c) => sum + c.not_offered, 0)}
              old={preview.old}
              new={preview.new}
              currency={currency}
              total
            />
          </tbody>
        </table>
      )}
    </Panel>
  )
}

type SumsProps = {
  name: string
  bookings: number
  not_offered: number
  old: number
  new: number
  currency: string
  total?: boolean
}
function Sums({ name, bookings, not_offered, old, new: now, currency, total }: SumsProps) {
  const { t } = useTranslation()
  const change = old === 0 ? null : ((now - old) / old) * 100
  return (
    <tr className={cx('border-t border-line', total && 'font-semibold')}>
      <th scope="row" className={cx('py-2 text-start', !total && 'font-normal')}>
        {name}
        {not_offered > 0 && (
          <span className="block text-xs text-waits">{t('tariffs.notOffered', { count: not_offered })}</span>
        )}
      </th>
      <td className="text-end max-md:hidden">{number(bookings)}</td>
      <td className="text-end">{money(old, currency)}</td>
      <td className="text-end">{money(now, currency)}</td>
      <td className="text-end">
        {change === null
          ? '—'
          : `${change > 0 ? '▲ +' : change < 0 ? '▼ −' : ''}${percent(Math.abs(Math.round(change * 10) / 10))}`}
      </td>
    </tr>
  )
}
