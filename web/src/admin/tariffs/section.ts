import type { Section } from '../section.ts'

export const section: Section = {
  path: 'tariffs',
  order: 20,
  name: 'admin.nav.tariffs',
  roles: ['admin', 'dispatcher'],
  words: ['tariffs'],
  load: () => import('./TariffsPage.tsx'),
}
