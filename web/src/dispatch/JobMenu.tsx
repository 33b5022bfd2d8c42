/** What can be done with a job, at a press of the other button (or the menu key): its best drivers are in the menu. */
import { ContextMenu } from 'radix-ui'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { duration } from '@/i18n/format.ts'
import { isFree, useCandidates } from './hands.ts'
import { type Booking, isUnassigned } from './jobs.ts'
import { sayWhy } from './why.ts'

const SHOWN = 6

type Props = {
  booking: Booking | undefined
  onOpen: (id: string) => void
  onGive: (jobId: string, driverId: string) => void
  children: ReactNode
}
export function JobMenu({ booking, onOpen, onGive, children }: Props) {
  const { t } = useTranslation()
  return (
    <ContextMenu.Root modal={false}>
      <ContextMenu.Trigger asChild disabled={booking === undefined}>
        {children}
      </ContextMenu.Trigger>
      <ContextMenu.Portal container={document.querySelector('main')}>
        <ContextMenu.Content
          className="z-50 grid min-w-56 gap-1 rounded-panel border border-line bg-panel p-1 text-sm"
          aria-label={t('hands.menu', { code: booking?.code ?? '' })}
        >
          {booking && (
            <Item onSelect={() => onOpen(booking.id)}>
              {t('hands.open')} <bdi className="figures">{booking.code}</bdi>
            </Item>
          )}
          {booking && isUnassigned(booking) && <Best booking={booking} onGive={onGive} />}
        </ContextMenu.Content>
      </ContextMenu.Portal>
    </ContextMenu.Root>
  )
}

function Best({ booking, onGive }: { booking: Booking; onGive: Props['onGive'] }) {
  const { t } = useTranslation()
  const near = useCandidates(booking)
  const free = near.data?.filter(isFree).slice(0, SHOWN) ?? []
  return free.map((c) => (
    <Item key={c.driver_id} onSelect={() => onGive(booking.id, c.driver_id)}>
      <span>
        {t('assign.to', { name: c.name ?? c.driver_id })}{' '}
        <span className="figures text-quiet">
          {c.pickup_eta_s !== null && duration(c.pickup_eta_s)} {sayWhy(t, c)}
        </span>
      </span>
    </Item>
  ))
}

function Item({ onSelect, children }: { onSelect: () => void; children: ReactNode }) {
  return (
    <ContextMenu.Item
      className="min-h-compact cursor-pointer content-center rounded-control px-2 data-highlighted:bg-raised"
      onSelect={onSelect}
    >
      {children}
    </ContextMenu.Item>
  )
}
