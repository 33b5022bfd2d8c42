/** Below a stop that has been chosen: it can be given a name, and is offered by that the next time. */
import { useMutation } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data } from '@/api/client.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'
import { isAt, useSavedAgain, useSavedPlaces } from './saved.ts'

export const words = () => loadWords('saved', 'set')

type Props = { stop: string; lat: number; lng: number; address: string }
export function SavePlace({ stop, ...place }: Props) {
  const { t } = useTranslation()
  const saved = useSavedPlaces()
  const [asking, setAsking] = useState(false)
  if (saved.data === undefined) return null
  const known = saved.data.find((each) => isAt(each, place))
  if (known !== undefined)
    return (
      <p className="text-sm text-quiet" role="status">
        <span aria-hidden>★</span> {t('saved.is', { label: known.label })}
      </p>
    )
  return asking ? (
    <Ask {...place} onEnd={() => setAsking(false)} />
  ) : (
    <Button
      kind="quiet"
      size="compact"
      className="justify-self-start"
      aria-label={t('saved.saveOf', { stop })}
      onClick={() => setAsking(true)}
    >
      <span aria-hidden>☆</span> {t('saved.save')}
    </Button>
  )
}

/** Not a form of its own: it stands in that of the stops. */
function Ask({ lat, lng, address, onEnd }: Omit<Props, 'stop'> & { onEnd: () => void }) {
  const { t } = useTranslation()
  const again = useSavedAgain()
  const [label, setLabel] = useState('')
  const [key] = useState(() => crypto.randomUUID()) // pressed twice, it is saved once
  const box = useRef<HTMLFieldSetElement>(null)
  useEffect(() => box.current?.querySelector('input')?.focus(), [])
  const save = useMutation({
    mutationFn: (name: string) =>
      data(
        api.POST('/v1/me/places', {
          params: { header: { 'Idempotency-Key': `${key}.${name}` } },
          body: { label: name, lat, lng, ...(address ? { address } : {}) },
        }),
      ),
    onSuccess: () => again().then(onEnd),
  })
  const name = label.trim()
  const go = () => {
    if (name !== '' && !save.isPending) save.mutate(name)
  }
  return (
    <fieldset ref={box} className="grid gap-2 rounded-control border border-line p-3">
      <legend className="sr-only">{t('saved.save')}</legend>
      <Field
        label={t('saved.label')}
        hint={t('saved.labelHint')}
        value={label}
        maxLength={60}
        autoComplete="off"
        onChange={(event) => setLabel(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onEnd()
          if (event.key !== 'Enter') return
          event.preventDefault() // the form around goes on to the prices
          go()
        }}
      />
      {save.error !== null && <Failure error={save.error} />}
      <div className="flex gap-2">
        <Button busy={save.isPending} disabled={name === ''} onClick={go}>
          {t('saved.do')}
        </Button>
        <Button kind="quiet" onClick={onEnd}>
          {t('set.cancel')}
        </Button>
      </div>
    </fieldset>
  )
}
