/** The controls of all faces. Sizes come from the tokens: `touch` (44 px) unless a face says otherwise. */
import { Slot } from 'radix-ui'
import {
  type ButtonHTMLAttributes,
  type InputHTMLAttributes,
  type ReactNode,
  useEffect,
  useId,
  useState,
} from 'react'
import { useTranslation } from 'react-i18next'
import { Problem } from '@/api/problem.ts'

export function cx(...names: (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(' ')
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  kind?: 'primary' | 'plain' | 'quiet' | 'danger'
  size?: 'drive' | 'touch' | 'compact'
  busy?: boolean
  asChild?: boolean
}
const kinds = {
  primary: 'bg-accent text-on-accent font-semibold hover:brightness-90',
  // What is pressed stays marked: by its edge, its colour and its weight.
  plain:
    'bg-raised text-text border border-line hover:border-quiet aria-pressed:border-accent aria-pressed:bg-panel aria-pressed:font-semibold aria-pressed:text-accent',
  quiet: 'text-accent hover:bg-raised',
  danger: 'border border-bad text-bad hover:bg-raised',
}
const sizes = {
  drive: 'min-h-drive px-5 text-lg',
  touch: 'min-h-touch px-4 text-md',
  compact: 'min-h-compact px-2 text-sm',
}

export function Button({
  kind = 'plain',
  size = 'touch',
  busy,
  asChild,
  className,
  disabled,
  children,
  ...rest
}: ButtonProps) {
  const Part = asChild ? Slot.Root : 'button'
  return (
    <Part
      type={asChild ? undefined : 'button'}
      aria-busy={busy || undefined}
      disabled={asChild ? undefined : disabled || busy}
      className={cx(
        'inline-flex items-center justify-center gap-2 rounded-control transition-colors disabled:opacity-50',
        kinds[kind],
        sizes[size],
        className,
      )}
      {...rest}
    >
      {children}
    </Part>
  )
}

type Size = NonNullable<ButtonProps['size']>
type FieldProps = Omit<InputHTMLAttributes<HTMLInputElement>, 'size'> & {
  label: string
  size?: 'drive' | 'touch'
  hint?: string
  error?: string | undefined
}
export function Field({ label, hint, error, className, size = 'touch', ...rest }: FieldProps) {
  const id = useId()
  return (
    <div className={cx('grid min-w-0 grid-cols-1 gap-1', className)}>
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      <input
        id={id}
        aria-invalid={error ? true : undefined}
        aria-describedby={error || hint ? `${id}-more` : undefined}
        className={cx(
          'w-full min-w-0 rounded-control border bg-panel px-3 text-md',
          size === 'drive' ? 'min-h-drive' : 'min-h-touch',
          error ? 'border-bad' : 'border-line',
        )}
        {...rest}
      />
      {(error || hint) && (
        <p id={`${id}-more`} className={cx('text-sm', error ? 'text-bad' : 'text-quiet')}>
          {error ?? hint}
        </p>
      )}
    </div>
  )
}

export function Panel({ children, className }: { children: ReactNode; className?: string }) {
  return <div className={cx('rounded-panel border border-line bg-panel', className)}>{children}</div>
}

/** What happened, what is safe, what to do; and a way to try again where that helps. */
type FailureProps = { error: unknown; retry?: () => void; size?: Size }
export function Failure({ error, retry, size = 'compact' }: FailureProps) {
  const { t } = useTranslation()
  return (
    <div role="alert" className="grid justify-items-start gap-2 rounded-control border border-bad p-3">
      <p>{sayProblem(t, error)}</p>
      {retry && (
        <Button size={size} onClick={retry}>
          {t('retry')}
        </Button>
      )}
    </div>
  )
}

type Translate = ReturnType<typeof useTranslation>['t']
export function sayProblem(t: Translate, error: unknown): string {
  if (!(error instanceof Problem)) return t('problem.unknown')
  const known = t(`problem.${error.kind}`, { defaultValue: '', ...error.members })
  return known || (error.status >= 500 ? t('problem.server') : error.message)
}

/** Empty: one sentence and one action. ALONE: it is the whole page, so its sentence is the heading. */
export function Empty(props: { children: ReactNode; action?: ReactNode; alone?: boolean }) {
  const { children, action, alone } = props
  const Sentence = alone ? 'h1' : 'p'
  return (
    <div className="grid place-items-center gap-3 p-8 text-center text-quiet">
      <Sentence>{children}</Sentence>
      {action}
    </div>
  )
}

/** Keeps the layout still; shows itself only when loading takes longer than a blink. */
export function Skeleton({ className }: { className?: string }) {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 200)
    return () => clearTimeout(timer)
  }, [])
  return <div aria-hidden className={cx('rounded-control', late && 'bg-raised', className)} />
}
