/** The fields of a version of the tariffs, a panel for each of its parts. */
import type { ReactNode } from 'react'
import { get, type Path, useFieldArray, useFormContext } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { AreaField, CheckField, SelectField, useSaid } from '@/ui/form.tsx'
import { Button, Field, Panel } from '@/ui/index.tsx'
import { amounts, counts, type Draft, emptyRate, vehicles, weekdays } from './draft.ts'

const ZONES_MAX = 16
const RATES_MAX = 68
const TAXES_MAX = 4
const DATES_MAX = 100
const zones: readonly string[] = Intl.supportedValuesOf('timeZone')

export function Fields({ currency }: { currency: string }) {
  return (
    <>
      <Rates currency={currency} />
      <Zones />
      <Times />
      <Demand />
      <Money />
      <Cancelling />
      <When />
    </>
  )
}

function Part({ title, more, children }: { title: string; more?: string; children: ReactNode }) {
  return (
    <Panel className="p-4">
      <fieldset className="grid grid-cols-1 gap-3">
        <legend className="float-start mb-1 w-full text-lg font-semibold">{title}</legend>
        {more && <p className="text-sm text-quiet">{more}</p>}
        {children}
      </fieldset>
    </Panel>
  )
}
const grid = 'grid grid-cols-1 gap-3 min-[24rem]:grid-cols-2 md:grid-cols-4'

/** A field of figures by its name in the form. */
function Figure({ name, label, hint }: { name: Path<Draft>; label: string; hint?: string }) {
  const form = useFormContext<Draft>()
  const said = useSaid(form)
  return (
    <Field
      label={label}
      {...(hint && { hint })}
      inputMode="decimal"
      dir="ltr"
      autoComplete="off"
      className="figures content-start"
      error={said(name)}
      {...form.register(name)}
    />
  )
}

function Rates({ currency }: { currency: string }) {
  const { t } = useTranslation()
  const form = useFormContext<Draft>()
  const said = useSaid(form)
  const list = useFieldArray({ control: form.control, name: 'items' })
  const named = form.watch('zones').map((z) => z.name)
  const root = form.formState.errors.items?.root?.message ?? form.formState.errors.items?.message
  return (
    <Part title={t('tariffs.rates')} more={t('tariffs.ratesMore', { currency })}>
      {root && <p className="text-sm text-bad">{t(root)}</p>}
      {list.fields.map((field, i) => (
        <fieldset key={field.id} className="grid grid-cols-1 gap-3 rounded-control border border-line p-3">
          <legend className="sr-only">{t('tariffs.rateOf', { number: i + 1 })}</legend>
          <div className={grid}>
            <SelectField
              label={t('tariffs.vehicle')}
              error={said(`items.${i}.vehicle`)}
              {...form.register(`items.${i}.vehicle`)}
            >
              {vehicles.map((v) => (
                <option key={v} value={v}>
                  {t(`vehicle.${v}`)}
                </option>
              ))}
            </SelectField>
            <SelectField
              label={t('tariffs.zone')}
              error={said(`items.${i}.zone`)}
              {...form.register(`items.${i}.zone`)}
            >
              <option value="">{t('tariffs.everywhere')}</option>
              {[...new Set([...named, field.zone])].filter(Boolean).map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </SelectField>
            {amounts.map((a) => (
              <Figure key={a} name={`items.${i}.${a}`} label={t(`tariffs.amount.${a}`)} />
            ))}
            {counts.map((c) => (
              <Figure key={c} name={`items.${i}.${c}`} label={t(`tariffs.amount.${c}`)} />
            ))}
          </div>
          <Remove label={t('tariffs.removeRate', { number: i + 1 })} onClick={() => list.remove(i)} />
        </fieldset>
      ))}
      <Add
        label={t('tariffs.addRate')}
        disabled={list.fields.length >= RATES_MAX}
        onClick={() => list.append(emptyRate('van'))}
      />
    </Part>
  )
}

function Remove({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <Button size="compact" className="justify-self-start" onClick={onClick}>
      {label}
    </Button>
  )
}
function Add({ label, disabled, onClick }: { label: string; disabled: boolean; onClick: () => void }) {
  return (
    <Button className="justify-self-start" disabled={disabled} onClick={onClick}>
      {label}
    </Button>
  )
}

function Zones() {
  const { t } = useTranslation()
  const form = useFormContext<Draft>()
  const said = useSaid(form)
  const list = useFieldArray({ control: form.control, name: 'zones' })
  return (
    <Part title={t('tariffs.zones')} more={t('tariffs.zonesMore')}>
      {list.fields.map((field, i) => (
        <fieldset key={field.id} className="grid grid-cols-1 gap-3 rounded-control border border-line p-3">
          <legend className="sr-only">{t('tariffs.zoneOf', { number: i + 1 })}</legend>
          <Field
            label={t('tariffs.zoneName')}
            maxLength={40}
            error={said(`zones.${i}.name`)}
            {...form.register(`zones.${i}.name`)}
          />
          <AreaField
            label={t('tariffs.corners')}
            hint={t('tariffs.cornersHint')}
            dir="ltr"
            rows={5}
            spellCheck={false}
            error={said(`zones.${i}.area`)}
            {...form.register(`zones.${i}.area`)}
          />
          <Remove label={t('tariffs.removeZone', { number: i + 1 })} onClick={() => list.remove(i)} />
        </fieldset>
      ))}
      <Add
        label={t('tariffs.addZone')}
        disabled={list.fields.length >= ZONES_MAX}
        onClick={() => list.append({ name: '', area: '' })}
      />
    </Part>
  )
}

type PartName = 'night' | 'weekend' | 'holiday' | 'surge' | 'cancellation' | 'returns'
/** A part that there need not be. */
function Switched({ name, children }: { name: PartName; children: ReactNode }) {
  const { t } = useTranslation()
  const form = useFormContext<Draft>()
  return (
    <div className="grid grid-cols-1 gap-2 border-t border-line pt-2 first-of-type:border-0">
      <CheckField label={t(`tariffs.${name}`)} {...form.register(`${name}.on`)} />
      {form.watch(`${name}.on`) && children}
    </div>
  )
}

function Times() {
  const { t } = useTranslation()
  const form = useFormContext<Draft>()
  const said = useSaid(form)
  return (
    <Part title={t('tariffs.times')} more={t('tariffs.timesMore')}>
      <Field
        label={t('tariffs.timezone')}
        hint={t('tariffs.timezoneHint')}
        list="tariff-timezones"
        dir="ltr"
        error={said('timezone')}
        {...form.register('timezone')}
      />
      <datalist id="tariff-timezones">
        {zones.map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      <Switched name="night">
        <div className={grid}>
          {(['from', 'to'] as const).map((end) => (
            <Field
              key={end}
              type="time"
              label={t(`tariffs.night_${end}`)}
              error={said(`night.${end}`)}
              {...form.register(`night.${end}`)}
            />
          ))}
          <Figure name="night.add_percent" label={t('tariffs.add')} />
        </div>
      </Switched>
      <Switched name="weekend">
        <fieldset className="flex flex-wrap gap-x-4">
          <legend className="text-sm font-medium">{t('tariffs.weekdays')}</legend>
          {weekdays.map((d) => (
            <CheckField key={d} label={t(`tariffs.days.${d}`)} value={d} {...form.register('weekend.days')} />
          ))}
        </fieldset>
        {said('weekend.days') && <p className="text-sm text-bad">{said('weekend.days')}</p>}
        <div className={grid}>
          <Figure name="weekend.add_percent" label={t('tariffs.add')} />
        </div>
      </Switched>
      <Switched name="holiday">
        <Dates />
        <div className={grid}>
          <Figure name="holiday.add_percent" label={t('tariffs.add')} />
        </div>
      </Switched>
    </Part>
  )
}

function Dates() {
  const { t } = useTranslation()
  const form = useFormContext<Draft>()
  const said = useSaid(form)
  const list = useFieldArray({ control: form.control, name: 'holiday.dates' })
  const errors: unknown = get(form.formState.errors, 'holiday.dates')
  const none = errors as { root?: { message?: string }; message?: string } | undefined
  const nothing = none?.root?.message ?? none?.message
  return (
    <div className="grid grid-cols-1 gap-2">
      {list.fields.map((field, i) => (
        <div key={field.id} className="flex flex-wrap items-end gap-2">
          <Field
            type="date"
            label={t('tariffs.holidayOf', { number: i + 1 })}
            error={said(`holiday.dates.${i}.date`)}
            {...form.register(`holiday.dates.${i}.date`)}
          />
          <Button aria-label={t('tariffs.removeHoliday', { number: i + 1 })} onClick={() => list.remove(i)}>
            ✕
          </Button>
        </div>
      ))}
      {nothing && <p className="text-sm text-bad">{t(nothing)}</p>}
      <Add
        label={t('tariffs.addHoliday')}
        disabled={list.fields.length >= DATES_MAX}
        onClick={() => list.append({ date: '' })}
      />
    </div>
  )
}

function Demand() {
  const { t } = useTranslation()
  return (
    <Part title={t('tariffs.demand')} more={t('tariffs.demandMore')}>
      <Switched name="surge">
        <div className={grid}>
          <Figure name="surge.from_percent" label={t('tariffs.surgeFrom')} />
          <Figure name="surge.full_percent" label={t('tariffs.surgeFull')} />
          <Figure name="surge.add_percent" label={t('tariffs.addMost')} />
        </div>
      </Switched>
    </Part>
  )
}

function Money() {
  const { t } = useTranslation()
  const form = useFormContext<Draft>()
  const said = useSaid(form)
  const list = useFieldArray({ control: form.control, name: 'taxes' })
  return (
    <Part title={t('tariffs.money')}>
      {list.fields.map((field, i) => (
        <div key={field.id} className="flex flex-wrap items-end gap-2">
          <Field
            label={t('tariffs.taxName', { number: i + 1 })}
            maxLength={40}
            error={said(`taxes.${i}.name`)}
            {...form.register(`taxes.${i}.name`)}
          />
          <Figure name={`taxes.${i}.rate_bp`} label={t('tariffs.taxRate', { number: i + 1 })} />
          <Button aria-label={t('tariffs.removeTax', { number: i + 1 })} onClick={() => list.remove(i)}>
            ✕
          </Button>
        </div>
      ))}
      <Add
        label={t('tariffs.addTax')}
        disabled={list.fields.length >= TAXES_MAX}
        onClick={() => list.append({ name: '', rate_bp: '' })}
      />
      <CheckField label={t('tariffs.included')} {...form.register('taxes_included')} />
      <div className={grid}>
        <Figure name="commission_bp" label={t('tariffs.commission')} hint={t('tariffs.commissionHint')} />
      </div>
    </Part>
  )
}

function Cancelling() {
  const { t } = useTranslation()
  return (
    <Part title={t('tariffs.cancelling')} more={t('tariffs.cancellingMore')}>
      <Switched name="cancellation">
        <div className={grid}>
          <Figure name="cancellation.free_minutes" label={t('tariffs.freeMinutes')} />
          <Figure name="cancellation.assigned_percent" label={t('tariffs.assignedPercent')} />
          <Figure name="cancellation.arrived_percent" label={t('tariffs.arrivedPercent')} />
          <Figure name="cancellation.late_minutes" label={t('tariffs.lateMinutes')} />
          <Figure name="cancellation.late_percent" label={t('tariffs.latePercent')} />
        </div>
      </Switched>
      <Switched name="returns">
        <div className={grid}>
          <Figure name="returns.percent" label={t('tariffs.returnPercent')} />
        </div>
      </Switched>
    </Part>
  )
}

function When() {
  const { t } = useTranslation()
  const form = useFormContext<Draft>()
  const said = useSaid(form)
  return (
    <Part title={t('tariffs.when')}>
      <Field
        type="datetime-local"
        label={t('tariffs.effective')}
        hint={t('tariffs.effectiveHint', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}
        error={said('effective_at')}
        {...form.register('effective_at')}
      />
      <AreaField label={t('tariffs.note')} maxLength={500} error={said('note')} {...form.register('note')} />
    </Part>
  )
}
