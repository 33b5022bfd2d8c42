import type { Section } from '../section.ts'

export const section: Section = {
  path: 'audit',
  order: 70,
  name: 'admin.nav.audit',
  roles: ['admin'],
  words: ['audit'],
  load: () => import('./AuditPage.tsx'),
}
