/** A field with its label, what more is said of it, and what is wrong with it; one of several lines. Without what forms need. */
import { type ReactNode, type Ref, type TextareaHTMLAttributes, useId } from 'react'
import { cx } from './index.tsx'

export type Around = {
  label: string
  hint?: string | undefined
  error?: string | undefined
  className?: string
}
export function Labelled({
  id,
  label,
  hint,
  error,
  className,
  children,
}: Around & { id: string; children: ReactNode }) {
  return (
    <div className={cx('grid min-w-0 grid-cols-1 content-start gap-1', className)}>
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children}
      {(error || hint) && (
        <p id={`${id}-more`} className={cx('text-sm', error ? 'text-bad' : 'text-quiet')}>
          {error ?? hint}
        </p>
      )}
    </div>
  )
}
export const box = 'min-h-touch w-full min-w-0 rounded-control border bg-panel px-3 text-md'
export const said = (id: string, { error, hint }: Around) => ({
  'aria-invalid': error ? (true as const) : undefined,
  'aria-describedby': error || hint ? `${id}-more` : undefined,
})

type AreaProps = Around & TextareaHTMLAttributes<HTMLTextAreaElement> & { ref?: Ref<HTMLTextAreaElement> }
export function AreaField({ label, hint, error, className, ...rest }: AreaProps) {
  const id = useId()
  const around = { label, hint, error }
  return (
    <Labelled id={id} {...around} {...(className && { className })}>
      <textarea
        id={id}
        rows={3}
        {...said(id, around)}
        className={cx(box, 'py-2', error ? 'border-bad' : 'border-line')}
        {...rest}
      />
    </Labelled>
  )
}
