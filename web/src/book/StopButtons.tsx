/** A stop up, down, or out of the trip: where it is booked, and where it is changed. */
import { useTranslation } from 'react-i18next'
import { Button } from '@/ui/index.tsx'

type Props = {
  stop: string // as it is called
  first: boolean
  last: boolean
  stays?: boolean // there are no more than there must be
  onMove: (by: -1 | 1) => void
  onRemove: () => void
}
export function StopButtons({ stop, first, last, stays, onMove, onRemove }: Props) {
  const { t } = useTranslation()
  return (
    <>
      <Button
        kind="quiet"
        className="px-2"
        disabled={first}
        aria-label={t('book.up', { stop })}
        onClick={() => onMove(-1)}
      >
        ↑
      </Button>
      <Button
        kind="quiet"
        className="px-2"
        disabled={last}
        aria-label={t('book.down', { stop })}
        onClick={() => onMove(1)}
      >
        ↓
      </Button>
      <Button
        kind="quiet"
        className="px-2"
        disabled={stays}
        aria-label={t('book.remove', { stop })}
        onClick={onRemove}
      >
        ✕
      </Button>
    </>
  )
}
