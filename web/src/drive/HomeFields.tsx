/** From where a driver would rather work. */
import { useTranslation } from 'react-i18next'
import { PlaceField } from '@/book/PlaceField.tsx'
import { CheckField } from '@/ui/form.tsx'
import { Field } from '@/ui/index.tsx'
import { type HomeDraft, metresOf } from './home.ts'

type Props = { home: HomeDraft; size: 'drive' | 'touch'; onChange: (home: HomeDraft) => void }
export function HomeFields({ home, size, onChange }: Props) {
  const { t } = useTranslation()
  const set = (part: Partial<HomeDraft>) => onChange({ ...home, ...part })
  return (
    <fieldset className="grid gap-2 rounded-panel border border-line p-3">
      <legend className="px-1 font-medium">{t('papers.home.title')}</legend>
      <CheckField
        label={t('papers.home.has')}
        checked={home.on}
        onChange={(e) => set({ on: e.target.checked })}
      />
      {home.on && (
        <>
          <PlaceField
            label={t('papers.home.place')}
            value={home.name}
            chosen={home.lat !== null}
            onType={(name) => set({ name, lat: null, lng: null })}
            onChoose={({ label, lat, lng }) => set({ name: label, lat, lng })}
          />
          <Field
            size={size}
            label={t('papers.home.radius')}
            value={home.km}
            inputMode="decimal"
            dir="ltr"
            autoComplete="off"
            maxLength={8}
            error={metresOf(home.km) === null ? t('papers.home.badRadius') : undefined}
            onChange={(e) => set({ km: e.target.value })}
          />
          <CheckField
            label={t('papers.home.only')}
            checked={home.only}
            onChange={(e) => set({ only: e.target.checked })}
          />
        </>
      )}
    </fieldset>
  )
}
