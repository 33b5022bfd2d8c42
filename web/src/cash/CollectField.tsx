/** What the driver is to take for the customer at a stop: cash on delivery. */
import { useTranslation } from 'react-i18next'
import { Field } from '@/ui/index.tsx'
import { minorOf } from './amount.ts'

type Props = { value: string; currency: string; fault: string | undefined; onChange: (value: string) => void }
export function CollectField({ value, currency, fault, onChange }: Props) {
  const { t } = useTranslation()
  const bad = value.trim() !== '' && !minorOf(value, currency)
  return (
    <div className="sm:col-span-2">
      <Field
        label={t('cash.collect', { currency })}
        hint={t('cash.collectHint')}
        value={value}
        inputMode="decimal"
        autoComplete="off"
        maxLength={20}
        error={bad ? t('cash.bad', { currency }) : fault}
        onChange={(e) => onChange(e.target.value)}
      />
    </div>
  )
}
