import type { Section } from '../section.ts'

export const section: Section = {
  path: 'accounts',
  order: 30,
  name: 'admin.nav.accounts',
  roles: ['admin'],
  words: ['accounts'],
  load: () => import('./AccountsPage.tsx'),
}
