/** Writes src/design/tokens.css from src/design/tokens.ts. */
import { writeFileSync } from 'node:fs'
import { font, motion, radius, type Theme, target, themes, type } from '../src/design/tokens.ts'

const kebab = (name: string) => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)

function variables(theme: Theme): string {
  const { map: _, ...colours } = theme
  return Object.entries(colours)
    .map(([name, value]) => `  --${kebab(name)}: ${value};`)
    .join('\n')
}

const names = Object.keys(themes.light).filter((name) => name !== 'map')
const lines = [
  '/* Written by scripts/tokens.ts from tokens.ts: change it there. */',
  '@theme inline {',
  '  --color-*: initial;',
  '  --color-transparent: transparent;',
  '  --color-current: currentColor;',
  ...names.map((name) => `  --color-${kebab(name)}: var(--${kebab(name)});`),
  '  --radius-*: initial;',
  ...Object.entries(radius).map(([name, value]) => `  --radius-${name}: ${value};`),
  '  --text-*: initial;',
  ...Object.entries(type).flatMap(([name, [size, height]]) => [
    `  --text-${name}: ${size / 16}rem;`,
    `  --text-${name}--line-height: ${height / 16}rem;`,
  ]),
  ...Object.entries(target).map(([name, value]) => `  --spacing-${name}: ${value};`),
  `  --font-sans: ${font};`,
  `  --default-transition-duration: ${motion.quick};`,
  `  --default-transition-timing-function: ${motion.ease};`,
  '}',
  ":root, [data-theme='light'] {",
  '  color-scheme: light;',
  variables(themes.light),
  '}',
  "[data-theme='dark'] {",
  '  color-scheme: dark;',
  variables(themes.dark),
  '}',
]
writeFileSync(new URL('../src/design/tokens.css', import.meta.url), `${lines.join('\n')}\n`)
