import { loadWords } from '@/i18n/parts.ts'

export const words = () => loadWords('recurring')
