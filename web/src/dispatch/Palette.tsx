/** Ctrl+K: anything of the console by a few letters of its name: jobs, vehicles, what can be done. */
import { Dialog } from 'radix-ui'
import { useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { cx } from '@/ui/index.tsx'
import type { Fleet } from './fleet.ts'
import type { Booking } from './jobs.ts'
import { matches } from './order.ts'

export type Command = { id: string; label: string; run: () => void }
const FOUND_MAX = 8 // of each kind

type Props = {
  commands: Command[]
  bookings: Iterable<Booking>
  fleet: Fleet | null
  onJob: (id: string) => void
  onVehicle: (id: string) => void
  onClose: () => void
}
export default function Palette({ commands, bookings, fleet, onJob, onVehicle, onClose }: Props) {
  const { t } = useTranslation()
  const list = useId()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const wanted = text.trim().toLocaleLowerCase()
  const named = (label: string) => label.toLocaleLowerCase().includes(wanted)
  const jobs = wanted === '' ? [] : [...bookings].filter((b) => matches(b, wanted)).slice(0, FOUND_MAX)
  const vehicles =
    wanted === ''
      ? []
      : [...(fleet?.vehicles.values() ?? [])].filter((v) => named(v.name ?? v.id)).slice(0, FOUND_MAX)
  const found: (Command & { hint: string })[] = [
    ...jobs.map((b) => ({
      id: b.id,
      label: `${b.code} · ${b.stops[0]?.address ?? ''} → ${b.stops.at(-1)?.address ?? ''}`,
      hint: t('console.palette.job'),
      run: () => onJob(b.id),
    })),
    ...vehicles.map((v) => ({
      id: v.id,
      label: v.name ?? v.id,
      hint: t('console.palette.vehicle'),
      run: () => onVehicle(v.id),
    })),
    ...commands.filter((c) => named(c.label)).map((c) => ({ ...c, hint: t('console.palette.command') })),
  ]
  const current = Math.min(at, found.length - 1)
  function press(event: React.KeyboardEvent) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (by !== undefined) {
      event.preventDefault()
      setAt((current + by + found.length) % Math.max(1, found.length))
    } else if (event.key === 'Enter') {
      event.preventDefault()
      choose(current)
    }
  }
  function choose(index: number) {
    const command = found[index]
    if (command === undefined) return
    onClose()
    command.run()
  }
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Dialog.Content
          className="fixed inset-x-4 top-24 z-50 mx-auto grid max-w-lg gap-2 rounded-panel border border-line bg-panel p-2"
          aria-describedby={undefined}
        >
          <Dialog.Title className="sr-only">{t('console.palette.title')}</Dialog.Title>
          <input
            type="text"
            role="combobox"
            aria-expanded
            aria-controls={list}
            aria-activedescendant={found[current] && `${list}-${current}`}
            aria-label={t('console.palette.title')}
            placeholder={t('console.palette.hint')}
            className="min-h-touch rounded-control border border-line bg-panel px-3"
            value={text}
            onChange={(event) => {
              setText(event.target.value)
              setAt(0)
            }}
            onKeyDown={press}
          />
          <div
            id={list}
            role="listbox"
            aria-label={t('console.palette.found')}
            className="max-h-80 overflow-auto"
          >
            {found.map((command, index) => (
              <div
                key={command.id}
                id={`${list}-${index}`}
                role="option"
                aria-selected={index === current}
                tabIndex={-1}
                className={cx(
                  'flex min-h-compact cursor-pointer items-center gap-2 rounded-control px-3 py-1 text-sm',
                  index === current && 'bg-raised',
                )}
                onPointerMove={() => index !== current && setAt(index)}
                onClick={() => choose(index)}
                onKeyDown={press}
              >
                <bdi className="min-w-0 grow truncate">{command.label}</bdi>
                <span className="text-quiet">{command.hint}</span>
              </div>
            ))}
          </div>
          <p role="status" className={cx('px-3 text-sm text-quiet', found.length > 0 && 'sr-only')}>
            {found.length === 0
              ? t('console.palette.none')
              : t('console.palette.count', { count: found.length })}
          </p>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
