import type { Section } from '../section.ts'

export const section: Section = {
  path: 'area',
  order: 18,
  name: 'admin.nav.area',
  roles: ['admin', 'dispatcher'],
  words: ['area'],
  load: () => import('./AreaPage.tsx'),
}
