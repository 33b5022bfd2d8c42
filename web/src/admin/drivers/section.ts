import type { Section } from '../section.ts'

export const section: Section = {
  path: 'drivers',
  order: 25,
  name: 'admin.nav.drivers',
  roles: ['admin'],
  words: ['papers'],
  load: () => import('./DriversPage.tsx'),
}
