/** A secret that the server shows this once: to be copied before it is gone. */
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button, Panel } from './index.tsx'

type Props = { title: string; text: string; secret: string; onDone: () => void; children?: ReactNode }
export function ShownOnce({ title, text, secret, onDone, children }: Props) {
  const { t } = useTranslation()
  const [copied, setCopied] = useState(false)
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => box.current?.focus(), [])
  return (
    <Panel className="border-waits p-4">
      <section ref={box} tabIndex={-1} aria-label={title} className="grid grid-cols-1 gap-3 outline-none">
        <h2 className="text-lg font-semibold">{title}</h2>
        <p>{text}</p>
        <code
          dir="ltr"
          className="block rounded-control bg-raised p-3 text-sm break-all whitespace-pre-wrap select-all"
        >
          {secret}
        </code>
        {children}
        <div className="flex flex-wrap gap-2">
          <Button
            kind="primary"
            onClick={() => void navigator.clipboard.writeText(secret).then(() => setCopied(true))}
          >
            {t(copied ? 'set.copied' : 'set.copy')}
          </Button>
          <Button onClick={onDone}>{t('set.kept')}</Button>
        </div>
      </section>
    </Panel>
  )
}
