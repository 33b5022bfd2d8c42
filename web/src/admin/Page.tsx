/** The frame of a section's page: its name, what can be done here, and the rest. */
import type { ReactNode } from 'react'

type Props = { title: ReactNode; acts?: ReactNode; lead?: ReactNode; children: ReactNode }
export function Page({ title, acts, lead, children }: Props) {
  return (
    <div className="mx-auto grid max-w-5xl grid-cols-1 gap-4 p-4">
      <div className="flex flex-wrap items-center gap-2">
        <h1 className="grow text-xl font-semibold">{title}</h1>
        {acts}
      </div>
      {lead && <p className="max-w-prose text-quiet">{lead}</p>}
      {children}
    </div>
  )
}
