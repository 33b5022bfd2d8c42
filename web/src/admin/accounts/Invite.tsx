/** Whoever comes makes the account himself, with a password nobody else has seen; staff is made of it here. */

import { Dialog } from 'radix-ui'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Button, Field } from '@/ui/index.tsx'

export function Invite() {
  const { t } = useTranslation()
  const [copied, setCopied] = useState<string | null>(null)
  const links = {
    staff: `${window.location.origin}/register`,
    drivers: `${window.location.origin}/register?as=driver`,
  }
  return (
    <Dialog.Root onOpenChange={() => setCopied(null)}>
      <Dialog.Trigger asChild>
        <Button kind="primary">{t('accounts.invite')}</Button>
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Dialog.Content className="fixed inset-x-4 top-1/2 z-50 mx-auto grid max-w-md -translate-y-1/2 gap-4 rounded-panel border border-line bg-panel p-4">
          <Dialog.Title className="text-lg font-semibold">{t('accounts.invite')}</Dialog.Title>
          <Dialog.Description>{t('accounts.inviteMore')}</Dialog.Description>
          {(['staff', 'drivers'] as const).map((who) => (
            <div key={who} className="flex flex-wrap items-end gap-2">
              <Field
                label={t(`accounts.link.${who}`)}
                value={links[who]}
                readOnly
                dir="ltr"
                className="grow"
              />
              <Button
                onClick={() => void navigator.clipboard.writeText(links[who]).then(() => setCopied(who))}
                aria-label={t(`accounts.copy.${who}`)}
              >
                {t(copied === who ? 'set.copied' : 'set.copy')}
              </Button>
            </div>
          ))}
          <Dialog.Close asChild>
            <Button className="justify-self-end">{t('set.close')}</Button>
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
