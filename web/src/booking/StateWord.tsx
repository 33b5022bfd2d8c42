/** A booking's state as an icon, a word and a colour: never the colour alone. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { cx } from '@/ui/index.tsx'

const marks: Record<Schemas['BookingState'], [string, string]> = {
  scheduled: ['◷', 'text-quiet'],
  requested: ['◌', 'text-waits'],
  offered: ['◌', 'text-waits'],
  assigned: ['➤', 'text-going'],
  arrived_pickup: ['◉', 'text-going'],
  picked_up: ['➤', 'text-going'],
  arrived_dropoff: ['◉', 'text-going'],
  returning: ['↩', 'text-going'],
  arrived_return: ['◉', 'text-going'],
  delivered: ['✓', 'text-good'],
  cancelled: ['✕', 'text-quiet'],
  expired: ['!', 'text-bad'],
  failed: ['!', 'text-bad'],
  returned: ['↩', 'text-bad'],
}

export function StateWord({ state, className }: { state: Schemas['BookingState']; className?: string }) {
  const { t } = useTranslation()
  const [icon, colour] = marks[state]
  return (
    <span className={cx('inline-flex items-baseline gap-2', colour, className)}>
      <span aria-hidden className={cx(icon === '➤' && 'rtl:-scale-x-100')}>
        {icon}
      </span>
      {t(`state.${state}`)}
    </span>
  )
}
