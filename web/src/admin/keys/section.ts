import type { Section } from '../section.ts'

export const section: Section = {
  path: 'keys',
  order: 60,
  name: 'admin.nav.keys',
  roles: ['admin', 'dispatcher'],
  words: ['apikeys'],
  load: () => import('@/keys/KeysPage.tsx'),
}
