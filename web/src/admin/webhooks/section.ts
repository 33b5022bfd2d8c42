import type { Section } from '../section.ts'

export const section: Section = {
  path: 'webhooks',
  order: 65,
  name: 'admin.nav.webhooks',
  roles: ['admin'],
  words: ['webhooks'],
  load: () => import('@/webhooks/WebhooksPage.tsx'),
}
