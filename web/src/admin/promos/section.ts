import type { Section } from '../section.ts'

export const section: Section = {
  path: 'promos',
  order: 22,
  name: 'admin.nav.promos',
  roles: ['admin'],
  words: ['promos'],
  load: () => import('./PromosPage.tsx'),
}
