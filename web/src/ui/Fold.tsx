/** What is told when somebody wants to know it: made, and fetched, when it is first opened. */
import { type ReactNode, useState } from 'react'
import { cx } from './index.tsx'

type Props = { summary: ReactNode; size?: 'touch' | 'compact'; children: ReactNode }
export function Fold({ summary, size = 'touch', children }: Props) {
  const [opened, setOpened] = useState(false)
  return (
    <details onToggle={(event) => event.currentTarget.open && setOpened(true)}>
      <summary
        className={cx(
          'content-center font-medium',
          size === 'touch' ? 'min-h-touch' : 'min-h-compact text-sm',
        )}
      >
        {summary}
      </summary>
      {opened && children}
    </details>
  )
}
