/** A place by typing, by arrow keys, from lately, or by a pin on the map (WAI-ARIA combobox with a list). */
import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, useDeferredValue, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { isAt, type SavedPlace, savedFor, useSavedPlaces } from '@/saved/saved.ts'
import { cx } from '@/ui/index.tsx'
import { type Place, recentPlaces, rememberPlace, searchPlaces } from './places.ts'

type Props = {
  label: string
  value: string
  chosen: boolean
  onType: (text: string) => void
  /** What is saved may say who is there. */
  onChoose: (place: Place, contact?: SavedPlace['contact']) => void
  /** Absent: there is no map to put a pin on. */
  onPin?: () => void
}

function keyOf(option: Place | SavedPlace | null): string {
  if (option === null) return 'pin'
  return 'id' in option ? option.id : `${option.label}${option.lat}${option.lng}`
}

function MoreOf({ place }: { place: Place | SavedPlace }) {
  const more = 'id' in place ? place.address : place.detail
  return more ? <span className="text-sm text-quiet">{more}</span> : null
}

export function PlaceField({ label, value, chosen, onType, onChoose, onPin }: Props) {
  const { t } = useTranslation()
  const id = useId()
  const [open, setOpen] = useState(false)
  const [active, setActive] = useState(0)
  const q = useDeferredValue(value.trim())
  const found = useQuery({
    queryKey: ['places', q],
    queryFn: ({ signal }) => searchPlaces(q, signal),
    enabled: open && !chosen && q.length >= 2,
    placeholderData: (before) => before,
  })
  const mine = savedFor(chosen ? '' : q, useSavedPlaces().data ?? [])
  const others = q.length >= 2 && !chosen ? (found.data ?? []) : recentPlaces()
  const places: (Place | SavedPlace)[] = [...mine, ...others.filter((p) => !mine.some((m) => isAt(m, p)))]
  const options = onPin ? [...places, null] : places // null: pin on the map

  function choose(option: Place | SavedPlace | null | undefined) {
    setOpen(false)
    if (option === undefined) return
    if (option === null) return onPin?.()
    if ('id' in option)
      return onChoose({ ...option, label: option.address ?? option.label, detail: null }, option.contact)
    rememberPlace(option)
    onChoose(option)
  }
  function onKey(event: KeyboardEvent) {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      setOpen(true)
      const step = event.key === 'ArrowDown' ? 1 : options.length - 1
      setActive((at) => (open ? (at + step) % options.length : 0))
    } else if (event.key === 'Enter' && open) {
      event.preventDefault()
      choose(options[active])
    } else if (event.key === 'Escape') setOpen(false)
  }

  return (
    <div className="relative grid min-w-0 grow gap-1">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      <input
        id={id}
        role="combobox"
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open ? `${id}-${active}` : undefined}
        autoComplete="off"
        className={cx(
          'min-h-touch w-full rounded-control border bg-panel px-3',
          chosen ? 'border-accent' : 'border-line',
        )}
        value={value}
        placeholder={t('place.hint')}
        onChange={(event) => {
          onType(event.target.value)
          setActive(0)
          setOpen(true)
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKey}
      />
      {open && (
        <div
          id={`${id}-list`}
          role="listbox"
          aria-label={label}
          className="absolute top-full z-30 mt-1 max-h-80 w-full overflow-auto rounded-panel border border-line bg-panel py-1"
        >
          {options.map((option, index) => (
            <div
              key={keyOf(option)}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === active}
              tabIndex={-1}
              className={cx('flex min-h-touch flex-col justify-center px-3', index === active && 'bg-raised')}
              onPointerDown={(event) => {
                event.preventDefault() // the field keeps the focus
                choose(option)
              }}
            >
              {option === null ? (
                <span className="text-accent">⌖ {t('place.pin')}</span>
              ) : (
                <>
                  <span>
                    {'id' in option && <span aria-hidden>★ </span>}
                    <bdi>{option.label}</bdi>
                  </span>
                  <MoreOf place={option} />
                </>
              )}
            </div>
          ))}
        </div>
      )}
      <p role="status" className="sr-only">
        {open && t('place.count', { count: places.length })}
      </p>
      {open && !chosen && q.length >= 2 && found.isSuccess && places.length === 0 && (
        <p className="text-sm text-quiet">{t('place.none')}</p>
      )}
    </div>
  )
}
