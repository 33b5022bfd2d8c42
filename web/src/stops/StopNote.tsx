/** What who comes to a stop is to know; its customer and staff may say it, and say it otherwise, until the stop is over. */
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, data, type Schemas } from '@/api/client.ts'
import { loadWords } from '@/i18n/parts.ts'
import { Button, Failure } from '@/ui/index.tsx'
import { AreaField } from '@/ui/labelled.tsx'
import { NOTE_MAX } from './wish.ts'

export const words = () => loadWords('note')

type Size = 'touch' | 'compact'
type Props = {
  booking: Schemas['Booking']
  stop: Schemas['Stop']
  open: boolean // has the booking not ended?
  size?: Size
  onDone: (booking: Schemas['Booking']) => void
}
export function StopNote({ booking, stop, open, size, onDone }: Props) {
  const { t } = useTranslation()
  return (
    <NoteEditor
      note={stop.note ?? ''}
      place={stop.address ?? t(`stop.${stop.kind}`)}
      changes={open && stop.state !== 'done' && stop.state !== 'failed'}
      size={size}
      onSave={async (note) =>
        onDone(
          await data(
            api.PUT('/v1/bookings/{id}/note', {
              params: { path: { id: booking.id } },
              body: { stop: stop.index, note, stops_revision: booking.stops_revision ?? 0 },
            }),
          ),
        )
      }
    />
  )
}

type Save = (note: string) => Promise<void>
type EditorProps = {
  note: string
  place: string
  changes: boolean
  size?: Size | undefined
  onSave: Save
}
/** It is saved as it was to be when he began: if the stops have changed meanwhile, his words must not come to another one. */
export function NoteEditor({ note, place, changes, size = 'touch', onSave }: EditorProps) {
  const { t } = useTranslation()
  const [typed, setTyped] = useState<{ text: string; save: Save } | null>(null) // null: nothing is being changed
  const change = useMutation({
    mutationFn: ({ text, save }: NonNullable<typeof typed>) => save(text.trim()),
    onSuccess: () => setTyped(null),
  })
  if (typed === null || !changes)
    return (
      <span className="block text-sm">
        {note && (
          <span className="block whitespace-pre-line">
            <bdi>{note}</bdi>
          </span>
        )}
        {changes && (
          <Button
            kind="quiet"
            size={size}
            className="px-0 text-accent underline"
            aria-label={t(note ? 'note.changeOf' : 'note.addOf', { place })}
            onClick={() => {
              change.reset()
              setTyped({ text: note, save: onSave })
            }}
          >
            {t(note ? 'note.change' : 'note.add')}
          </Button>
        )}
      </span>
    )
  return (
    <form
      className="grid gap-2 py-1"
      onSubmit={(event) => {
        event.preventDefault()
        if (!change.isPending) change.mutate(typed)
      }}
    >
      <AreaField
        label={t('book.stopNote')}
        hint={t('book.stopNoteHint')}
        value={typed.text}
        autoComplete="off"
        autoFocus
        maxLength={NOTE_MAX}
        onChange={(e) => setTyped({ ...typed, text: e.target.value })}
      />
      {change.error !== null && <Failure error={change.error} />}
      <span className="flex flex-wrap gap-2">
        <Button type="submit" kind="primary" size={size} busy={change.isPending}>
          {t('note.save')}
        </Button>
        <Button size={size} onClick={() => setTyped(null)}>
          {t('note.keep')}
        </Button>
      </span>
    </form>
  )
}
