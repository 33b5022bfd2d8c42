/** What is said of one vehicle: its class, its plate, what it carries; by its driver, and by the office. */
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { latinDigits } from '@/i18n/format.ts'
import { Button, cx, Failure, Field } from '@/ui/index.tsx'
import { draftOf, ofClass, vehicleOf } from './vehicle.ts'

const classes = ['bike', 'car', 'van', 'truck'] as const

type Props = {
  vehicle?: Schemas['OwnVehicle'] // absent: a new one
  size: 'drive' | 'touch'
  action: string
  save: (body: Schemas['DriverVehicle']) => Promise<unknown>
  onDone: () => void
  onCancel: () => void
}
export function OneVehicle({ vehicle, size, action, save, onDone, onCancel }: Props) {
  const { t } = useTranslation()
  const group = useId()
  const [draft, setDraft] = useState(() => draftOf(vehicle))
  const keep = useMutation({ mutationFn: () => save(vehicleOf(draft, vehicle)), onSuccess: onDone })
  const fields = keep.error instanceof Problem ? keep.error.fields : []
  const wrong = (name: string) => fields.find((f) => f.pointer === `/${name}`)?.detail
  function submit(event: FormEvent) {
    event.preventDefault()
    if (!keep.isPending) keep.mutate()
  }
  return (
    <form
      onSubmit={submit}
      aria-label={action}
      className="grid gap-3 rounded-panel border border-line bg-panel p-4"
    >
      <fieldset className="grid grid-cols-2 gap-2">
        <legend className="mb-1 text-sm font-medium">{t('drive.vehicle.class')}</legend>
        {classes.map((c) => (
          <label
            key={c}
            className={cx(
              'flex items-center gap-3 rounded-control border border-line px-3',
              size === 'drive' ? 'min-h-drive' : 'min-h-touch',
            )}
          >
            <input
              type="radio"
              name={group}
              checked={c === draft.class}
              onChange={() => setDraft(ofClass(draft, c, vehicle))}
            />
            {t(`vehicle.${c}`)}
          </label>
        ))}
      </fieldset>
      <Field
        size={size}
        label={t('drive.vehicle.plate')}
        value={draft.plate}
        required
        maxLength={16}
        dir="ltr"
        autoComplete="off"
        error={wrong('plate')}
        onChange={(e) => setDraft({ ...draft, plate: e.target.value })}
      />
      <Field
        size={size}
        label={t('drive.vehicle.load')}
        hint={t('papers.loadHint')}
        value={draft.kg}
        inputMode="numeric"
        dir="ltr"
        autoComplete="off"
        pattern="[0-9]{1,5}"
        error={wrong('capacity_kg')}
        onChange={(e) => setDraft({ ...draft, kg: latinDigits(e.target.value) })}
      />
      {keep.error !== null && <Failure size={size} error={keep.error} />}
      <div className="flex gap-2">
        <Button type="submit" kind="primary" size={size} busy={keep.isPending} className="grow">
          {action}
        </Button>
        <Button kind="quiet" size={size} onClick={onCancel}>
          {t('papers.cancel')}
        </Button>
      </div>
    </form>
  )
}
