import { describe, expect, it } from 'vitest'
import { type Theme, themes } from './tokens.ts'

/** WCAG 2.2: relative luminance and contrast ratio. */
function luminance(hex: string): number {
  const channels = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
  const [r, g, b] = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * (r ?? 0) + 0.7152 * (g ?? 0) + 0.0722 * (b ?? 0)
}
function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05)
}

describe.each(Object.entries(themes))('the %s theme', (_, theme: Theme) => {
  const words = ['text', 'quiet', 'accent', 'waits', 'bad', 'going', 'good'] as const
  const grounds = ['canvas', 'panel', 'raised'] as const
  for (const ground of grounds)
    for (const word of words)
      it(`${word} can be read on ${ground}`, () => {
        expect(contrast(theme[word], theme[ground])).toBeGreaterThanOrEqual(4.5)
      })
  it('the words of the main button can be read', () => {
    expect(contrast(theme.onAccent, theme.accent)).toBeGreaterThanOrEqual(4.5)
  })
  it('the focus ring stands out', () => {
    for (const ground of grounds) expect(contrast(theme.focus, theme[ground])).toBeGreaterThanOrEqual(3)
  })
  it('labels of the map can be read', () => {
    expect(contrast(theme.map.label, theme.map.land)).toBeGreaterThanOrEqual(4.5)
  })
})
