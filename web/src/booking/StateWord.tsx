/** A booking's state as an icon, a word and a colour: never the colour alone. */
import { useTranslation } from 'react-i18next'
import type { Schemas } from '@/api/client.ts'
import { useUser } from '@/app/hooks.ts'
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

/** What a state is called by whoever reads it: the goods come to the customer, and to nobody in the office. */
export function useStateWord(): (state: Schemas['BookingState']) => string {
  const { t } = useTranslation()
  const role = useUser()?.role
  const office = role === 'dispatcher' || role === 'admin'
  return (state) => t(`state.${state}`, office ? { context: 'office' } : {})
}

type Props = {
  state: Schemas['BookingState']
  /** Of whoever has it. Who finishes another job first is not on the way yet. */
  driver?: { free_at?: string } | null
  className?: string
}
export function StateWord({ state, driver, className }: Props) {
  const { t } = useTranslation()
  const word = useStateWord()
  const waits = driver?.free_at !== undefined
  const [icon, colour] = waits ? ['◷', 'text-waits'] : marks[state]
  return (
    <span className={cx('inline-flex items-baseline gap-2', colour, className)}>
      <span aria-hidden className={cx(icon === '➤' && 'rtl:-scale-x-100')}>
        {icon}
      </span>
      {waits ? t('state.waits') : word(state)}
    </span>
  )
}
