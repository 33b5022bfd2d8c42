/** What is to be carried, if the person wants to say so: kinds of goods, each with a weight, a number and how to handle it. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { latinDigits } from '@/i18n/format.ts'
import { Button, Field } from '@/ui/index.tsx'
import { type DraftGoods, emptyGoods, GOODS_MAX, useDraft } from './draft.ts'

const HANDLING = ['fragile', 'upright', 'cold', 'dry', 'two_people', 'tail_lift'] as const

export function Parcel({ unfit }: { unfit: Schemas['Vehicle'][] }) {
  const { t } = useTranslation()
  const [draft, change] = useDraft()
  const goods = draft.goods ?? []
  const set = (index: number, part: Partial<DraftGoods>) =>
    change({ goods: goods.map((g, i) => (i === index ? { ...g, ...part } : g)) })
  return (
    <details open={goods.length > 0}>
      <summary className="min-h-touch content-center font-medium">{t('parcel.title')}</summary>
      <div className="grid gap-3">
        {goods.map((item, index) => (
          <fieldset key={item.key} className="grid grid-cols-2 gap-2 rounded-control border border-line p-3">
            <legend className="sr-only">{t('parcel.one', { number: index + 1 })}</legend>
            <Field
              className="col-span-2"
              label={t('parcel.name')}
              value={item.name}
              maxLength={80}
              onChange={(e) => set(index, { name: e.target.value })}
            />
            <Field
              label={t('parcel.weight')}
              value={item.kg}
              inputMode="decimal"
              dir="ltr"
              error={isNumber(item.kg, 40_000) ? undefined : t('parcel.number')}
              onChange={(e) => set(index, { kg: latinDigits(e.target.value) })}
            />
            <Field
              label={t('parcel.count')}
              value={item.count}
              inputMode="numeric"
              dir="ltr"
              error={isNumber(item.count, 1000) ? undefined : t('parcel.number')}
              onChange={(e) => set(index, { count: latinDigits(e.target.value) })}
            />
            <details className="col-span-2">
              <summary className="min-h-touch content-center text-sm">{t('parcel.handling')}</summary>
              {HANDLING.map((way) => (
                <label key={way} className="flex min-h-touch items-center gap-2">
                  <input
                    type="checkbox"
                    className="size-5 shrink-0 accent-(--accent)"
                    checked={item.handling.includes(way)}
                    onChange={(e) =>
                      set(index, {
                        handling: e.target.checked
                          ? [...item.handling, way]
                          : item.handling.filter((h) => h !== way),
                      })
                    }
                  />
                  {t(`parcel.${way}`)}
                </label>
              ))}
            </details>
            <Button
              kind="quiet"
              className="col-span-2 justify-self-start"
              onClick={() => change({ goods: goods.filter((_, i) => i !== index) })}
            >
              {t('parcel.remove', { name: item.name || t('parcel.one', { number: index + 1 }) })}
            </Button>
          </fieldset>
        ))}
        <Button
          kind="quiet"
          className="justify-self-start"
          disabled={goods.length >= GOODS_MAX}
          onClick={() => change({ goods: [...goods, emptyGoods()] })}
        >
          + {t('parcel.add')}
        </Button>
        {unfit.length > 0 && (
          <p role="status" className="text-sm text-waits">
            {t('parcel.unfit', { vehicles: unfit.map((v) => t(`vehicle.${v}`)).join(', ') })}
          </p>
        )}
      </div>
    </details>
  )
}

function isNumber(text: string, most: number): boolean {
  const value = Number(text.replace(',', '.'))
  return text.trim() === '' || (Number.isFinite(value) && value >= 0 && value <= most)
}
