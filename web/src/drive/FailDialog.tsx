/** It cannot be done: asks why, and says what that means, before it is so. */
import { AlertDialog } from 'radix-ui'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button, Field } from '@/ui/index.tsx'
import { PhotoField } from './ProofForm.tsx'

const reasons = ['nobody', 'refused', 'address', 'damaged', 'size', 'other'] as const
type Reason = (typeof reasons)[number]

type Props = {
  /** The goods go back then, and the job goes on. */
  returns: boolean
  onFail: (reason: string, photo: Blob | null) => void
}
export function FailDialog({ returns, onFail }: Props) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const [reason, setReason] = useState<Reason | null>(null)
  const [words, setWords] = useState('')
  const [photo, setPhoto] = useState<Blob | null>(null)
  const more = words.trim()
  const text =
    reason === null
      ? ''
      : reason === 'other'
        ? more
        : [t(`drive.fail.${reason}`), more].filter(Boolean).join(': ')
  return (
    <AlertDialog.Root open={open} onOpenChange={setOpen}>
      <AlertDialog.Trigger asChild>
        <Button kind="quiet" size="drive">
          {t('drive.fail.open')}
        </Button>
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <AlertDialog.Content className="fixed inset-x-0 bottom-0 z-50 mx-auto grid max-h-full max-w-xl gap-4 overflow-auto rounded-panel border border-line bg-panel p-4">
          <AlertDialog.Title className="text-lg font-semibold">{t('drive.fail.title')}</AlertDialog.Title>
          <AlertDialog.Description>
            {t(returns ? 'drive.fail.moreBack' : 'drive.fail.more')}
          </AlertDialog.Description>
          <fieldset className="grid gap-2">
            <legend className="sr-only">{t('drive.fail.title')}</legend>
            {reasons.map((r) => (
              <label
                key={r}
                className="flex min-h-drive items-center gap-3 rounded-control border border-line px-3 has-checked:border-accent"
              >
                <input
                  type="radio"
                  name="reason"
                  checked={r === reason}
                  onChange={() => setReason(r)}
                  className="size-5 accent-current"
                />
                {t(`drive.fail.${r}`)}
              </label>
            ))}
          </fieldset>
          <Field
            size="drive"
            label={t('drive.fail.words')}
            value={words}
            maxLength={300}
            onChange={(e) => setWords(e.target.value)}
          />
          <PhotoField photo={photo} onTake={setPhoto} />
          <div className="grid gap-2">
            <AlertDialog.Cancel asChild>
              <Button size="drive">{t('back')}</Button>
            </AlertDialog.Cancel>
            <Button
              kind="danger"
              size="drive"
              disabled={text === ''}
              onClick={() => {
                setOpen(false)
                onFail(text, photo)
              }}
            >
              {t(returns ? 'drive.fail.doBack' : 'drive.fail.do')}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
