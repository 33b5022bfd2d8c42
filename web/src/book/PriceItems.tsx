/** What a price is made of; the rows add up to the total. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { distance, duration, money, number, percent } from '@/i18n/format.ts'

function quantity(item: Schemas['PriceItem']): string {
  if (item.quantity === undefined) return ''
  if (item.unit === 'm') return distance(item.quantity)
  if (item.unit === 's') return duration(item.quantity)
  if (item.unit === 'min') return duration(item.quantity * 60)
  if (item.unit === '%') return percent(item.quantity)
  return number(item.quantity)
}

export function PriceItems({
  items,
  taxes = [],
  total,
  currency,
}: {
  items: Schemas['PriceItem'][]
  taxes?: Schemas['PriceTax'][] | undefined
  total: number
  currency: string
}) {
  const { t } = useTranslation()
  return (
    <table className="figures w-full">
      <caption className="sr-only">{t('price.title')}</caption>
      <tbody>
        {items.map((item) => (
          <tr key={item.code}>
            <th scope="row" className="text-start font-normal">
              {t(`price.${item.code}`)} <span className="text-quiet">{quantity(item)}</span>
            </th>
            <td className="text-end">{money(item.amount, currency)}</td>
          </tr>
        ))}
        <tr className="border-t border-line text-lg font-semibold">
          <th scope="row" className="pt-2 text-start">
            {t('price.total')}
          </th>
          <td className="pt-2 text-end">{money(total, currency)}</td>
        </tr>
        {taxes
          .filter((tax) => tax.included)
          .map((tax) => (
            <tr key={tax.name} className="text-quiet">
              <th scope="row" className="text-start font-normal">
                {t('price.included', { name: tax.name })} {percent(tax.rate_bp / 100)}
              </th>
              <td className="text-end">{money(tax.amount, currency)}</td>
            </tr>
          ))}
      </tbody>
    </table>
  )
}
