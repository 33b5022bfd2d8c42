import type { Section } from '../section.ts'

export const section: Section = {
  path: 'cash',
  order: 27,
  name: 'admin.nav.cash',
  roles: ['admin', 'dispatcher'],
  words: ['cash'],
  load: () => import('./CashPage.tsx'),
}
