import type { Section } from '../section.ts'

export const section: Section = {
  path: 'reports',
  order: 10,
  name: 'admin.nav.reports',
  roles: ['dispatcher', 'admin'],
  words: ['reports'],
  load: () => import('./ReportsPage.tsx'),
}
