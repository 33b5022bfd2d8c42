/** What a part of the administration says of itself. Each has a folder of its own beside this file, with a section.ts. */
import type { ComponentType } from 'react'
import type { User } from '@/api/session.ts'

export type Section = {
  /** Behind /admin/ in the address; the page may have routes of its own behind that. */
  path: string
  /** Where it stands among the others. */
  order: number
  /** The key of its name: admin.nav.… */
  name: string
  roles: User['role'][]
  /** Folders of i18n/ whose words the page says. */
  words: string[]
  load: () => Promise<{ default: ComponentType }>
}
