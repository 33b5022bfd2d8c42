/** What the driver is to take for the customer at a stop: cash on delivery. */
import { useTranslation } from 'react-i18next'
import { money } from '@/i18n/format.ts'
import { Field } from '@/ui/index.tsx'
import { minorOf } from './amount.ts'

type Props = {
  value: string
  currency: string
  max: number // minor units
  /** The server has not taken it; what it says is for programs. */
  refused: boolean
  onChange: (value: string) => void
}
export function CollectField({ value, currency, max, refused, onChange }: Props) {
  const { t } = useTranslation()
  const amount = minorOf(value, currency)
  const fault =
    value.trim() === ''
      ? undefined
      : amount !== null && amount > max
        ? t('cash.atMost', { money: money(max, currency) })
        : !amount || refused
          ? t('cash.bad', { currency })
          : undefined
  return (
    <div className="sm:col-span-2">
      <Field
        label={t('cash.collect', { currency })}
        hint={t('cash.collectHint')}
        value={value}
        inputMode="decimal"
        autoComplete="off"
        maxLength={20}
        error={fault}
        onChange={(e) => onChange(e.target.value)}
      />
    </div>
  )
}
