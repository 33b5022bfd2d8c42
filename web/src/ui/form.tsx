/** Forms by react-hook-form and zod: what the server says of a field stands at the field. */
import { type ReactNode, type Ref, type SelectHTMLAttributes, useId } from 'react'
import { type FieldValues, get, type Path, type UseFormReturn } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import { Problem } from '@/api/problem.ts'
import { Button, cx, Failure } from './index.tsx'
import { type Around, box, Labelled, said } from './labelled.tsx'

export { AreaField } from './labelled.tsx'

z.config({ jitless: true }) // it would try to compile, which the policy against injected scripts forbids

/** "/items/0/per_km" as a form names it: "items.0.per_km". */
export function nameOf(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.')
}

/** Puts what the server refuses at the fields of FORM; NAMES turns a name of the API into the form's where they differ.
 * What belongs to no field is given back, to be shown beside the button; null: all was placed. */
export function placeErrors<V extends FieldValues>(
  form: UseFormReturn<V>,
  refusal: unknown,
  names: (name: string) => string = (name) => name,
): unknown {
  if (!(refusal instanceof Problem) || refusal.fields.length === 0) return refusal
  const values = form.getValues()
  const homeless: string[] = []
  let focused = false
  for (const { pointer, detail } of refusal.fields) {
    const name = names(nameOf(pointer))
    const value = get(values, name)
    if (value === undefined || (typeof value === 'object' && value !== null)) {
      homeless.push(`${nameOf(pointer)}: ${detail}`)
      continue
    }
    form.setError(name as Path<V>, { type: 'server', message: detail }, { shouldFocus: !focused })
    focused = true
  }
  return homeless.length > 0 ? new Problem(refusal.status, { detail: homeless.join(' · ') }) : null
}

/** A schema of ours names the words ("invalid.required"); the server's own are sentences. */
const isKey = /^[a-z]+(\.[a-z]+)+$/i

/** What is wrong with a field, in the reader's language where it is known. */
export function useSaid<V extends FieldValues>(
  form: UseFormReturn<V>,
): (name: Path<V>) => string | undefined {
  const { t } = useTranslation()
  const { errors } = form.formState
  return (name) => {
    const message = (get(errors, name) as { message?: string } | undefined)?.message
    return message !== undefined && isKey.test(message) ? t(message) : message
  }
}

type SelectProps = Around & SelectHTMLAttributes<HTMLSelectElement> & { ref?: Ref<HTMLSelectElement> }
export function SelectField({ label, hint, error, className, children, ...rest }: SelectProps) {
  const id = useId()
  const around = { label, hint, error }
  return (
    <Labelled id={id} {...around} {...(className && { className })}>
      <select
        id={id}
        {...said(id, around)}
        className={cx(box, error ? 'border-bad' : 'border-line')}
        {...rest}
      >
        {children}
      </select>
    </Labelled>
  )
}

type CheckProps = { label: ReactNode; error?: string | undefined } & Omit<
  React.InputHTMLAttributes<HTMLInputElement>,
  'type'
> & { ref?: Ref<HTMLInputElement> }
export function CheckField({ label, error, className, ...rest }: CheckProps) {
  return (
    <label className={cx('flex min-h-touch items-center gap-3 text-md', className)}>
      <input type="checkbox" className="size-5 shrink-0 accent-accent" {...rest} />
      <span>
        {label}
        {error && <span className="block text-sm text-bad">{error}</span>}
      </span>
    </label>
  )
}

/** What was refused as a whole. Where somebody else has changed it meanwhile, what is typed stays until it is asked for anew. */
export function SaveFailure({ error, onRefresh }: { error: unknown; onRefresh?: () => void }) {
  const { t } = useTranslation()
  if (error === null || error === undefined) return null
  if (!(error instanceof Problem) || error.status !== 412) return <Failure error={error} />
  return (
    <div role="alert" className="grid justify-items-start gap-2 rounded-control border border-waits p-3">
      <p>{t('set.conflict')}</p>
      {onRefresh && (
        <Button size="compact" onClick={onRefresh}>
          {t('set.refresh')}
        </Button>
      )}
    </div>
  )
}

/** The version of what a change is meant for, as If-Match says it. */
export function ifMatch(version: number): { 'If-Match': string } {
  return { 'If-Match': `"${version}"` }
}
