/** Which vehicle he drives: asked once, before the first duty. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { Problem } from '@/api/problem.ts'
import { latinDigits } from '@/i18n/format.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'
import { driverKey } from './hooks.ts'

const usualKg: Record<Schemas['Vehicle'], number> = { bike: 30, car: 300, van: 800, truck: 5000 }
const classes = Object.keys(usualKg) as Schemas['Vehicle'][]

export function VehicleForm({ driver }: { driver: Schemas['Driver'] }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [kind, setKind] = useState<Schemas['Vehicle']>(driver.vehicle?.class ?? 'van')
  const [plate, setPlate] = useState(driver.vehicle?.plate ?? '')
  const [load, setLoad] = useState(String(driver.vehicle?.capacity_kg ?? usualKg[kind]))
  const save = useMutation({
    mutationFn: () =>
      data(
        api.PUT('/v1/driver', {
          body: { vehicle: { class: kind, plate: plate.trim(), capacity_kg: Number(load) } },
        }),
      ),
    onSuccess: (changed) => client.setQueryData(driverKey, changed),
  })
  const wrong = (name: string) =>
    save.error instanceof Problem
      ? save.error.fields.find((f) => f.pointer.endsWith(name))?.detail
      : undefined
  function choose(next: Schemas['Vehicle']) {
    if (load === String(usualKg[kind])) setLoad(String(usualKg[next])) // he has not said otherwise
    setKind(next)
  }
  function submit(event: FormEvent) {
    event.preventDefault()
    save.mutate()
  }
  return (
    <form onSubmit={submit} className="grid gap-4">
      {driver.vehicle === null && <h1 className="text-xl font-semibold">{t('drive.vehicle.title')}</h1>}
      <fieldset className="grid grid-cols-2 gap-2">
        <legend className="mb-1 text-sm font-medium">{t('drive.vehicle.class')}</legend>
        {classes.map((c) => (
          <label
            key={c}
            className="flex min-h-drive items-center gap-3 rounded-control border border-line bg-panel px-3 has-checked:border-accent"
          >
            <input
              type="radio"
              name="class"
              checked={c === kind}
              onChange={() => choose(c)}
              className="size-5 accent-current"
            />
            {t(`vehicle.${c}`)}
          </label>
        ))}
      </fieldset>
      <Field
        size="drive"
        label={t('drive.vehicle.plate')}
        value={plate}
        required
        maxLength={16}
        dir="ltr"
        autoCapitalize="characters"
        error={wrong('plate')}
        onChange={(e) => setPlate(e.target.value)}
      />
      <Field
        size="drive"
        label={t('drive.vehicle.load')}
        value={load}
        required
        inputMode="numeric"
        dir="ltr"
        pattern="[0-9]{1,5}"
        error={wrong('capacity_kg')}
        onChange={(e) => setLoad(latinDigits(e.target.value))}
      />
      {save.error !== null && <Failure size="drive" error={save.error} />}
      {save.isSuccess && <p role="status">{t('drive.vehicle.saved')}</p>}
      <Button type="submit" kind="primary" size="drive" busy={save.isPending}>
        {t('drive.vehicle.save')}
      </Button>
    </form>
  )
}
