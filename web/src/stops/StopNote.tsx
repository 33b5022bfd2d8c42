/** What who comes to a stop is to know; its customer may say it, and say it otherwise, until the stop is over. */
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Button, Failure, Field } from '@/ui/index.tsx'

export const words = () => loadWords('note')
const CHARS_MAX = 300

type Props = {
  booking: Schemas['Booking']
  stop: Schemas['Stop']
  open: boolean // has the booking not ended?
  onDone: (booking: Schemas['Booking']) => void
}
export function StopNote({ booking, stop, open, onDone }: Props) {
  const { t } = useTranslation()
  const [typed, setTyped] = useState<string | null>(null) // null: nothing is being changed
  const change = useMutation({
    mutationFn: (note: string) =>
      data(
        api.PUT('/v1/bookings/{id}/note', {
          params: { path: { id: booking.id } },
          body: { stop: stop.index, note, stops_revision: booking.stops_revision ?? 0 },
        }),
      ),
    onSuccess: (changed) => {
      setTyped(null)
      onDone(changed)
    },
  })
  const place = stop.address ?? t(`stop.${stop.kind}`)
  const changes = open && stop.state !== 'done' && stop.state !== 'failed'
  if (typed === null || !changes)
    return (
      <span className="block text-sm">
        {stop.note && (
          <span className="block whitespace-pre-line">
            <bdi>{stop.note}</bdi>
          </span>
        )}
        {changes && (
          <Button
            kind="quiet"
            className="px-0 text-accent underline"
            aria-label={t(stop.note ? 'note.changeOf' : 'note.addOf', { place })}
            onClick={() => setTyped(stop.note ?? '')}
          >
            {t(stop.note ? 'note.change' : 'note.add')}
          </Button>
        )}
      </span>
    )
  return (
    <form
      className="grid gap-2 py-1"
      onSubmit={(event) => {
        event.preventDefault()
        if (!change.isPending) change.mutate(typed.trim())
      }}
    >
      <Field
        label={t('book.stopNote')}
        hint={t('book.stopNoteHint')}
        value={typed}
        autoComplete="off"
        autoFocus
        maxLength={CHARS_MAX}
        onChange={(e) => setTyped(e.target.value)}
      />
      {change.error !== null && <Failure error={change.error} />}
      <span className="flex flex-wrap gap-2">
        <Button type="submit" kind="primary" busy={change.isPending}>
          {t('note.save')}
        </Button>
        <Button onClick={() => setTyped(null)}>{t('note.keep')}</Button>
      </span>
    </form>
  )
}
