/** Light, dark, or as the system is. Drive, left alone, goes by the sun. */
import { useSyncExternalStore } from 'react'

export type Choice = 'system' | 'light' | 'dark'
export type ThemeName = 'light' | 'dark'
const KEY = 'lorry.theme'
const listeners = new Set<() => void>()
const system = window.matchMedia('(prefers-color-scheme: dark)')
/** What it said last. It is not asked again: Chromium tells nobody of a change that somebody has read before. */
let systemDark = system.matches
let override: ThemeName | null = null // what a face asks for while nobody has chosen

export function themeChoice(): Choice {
  const kept = localStorage.getItem(KEY)
  return kept === 'light' || kept === 'dark' ? kept : 'system'
}
export function themeName(): ThemeName {
  const choice = themeChoice()
  return choice !== 'system' ? choice : (override ?? (systemDark ? 'dark' : 'light'))
}
function apply(): void {
  document.documentElement.dataset.theme = themeName()
  for (const listener of listeners) listener()
}
export function chooseTheme(choice: Choice): void {
  if (choice === 'system') localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, choice)
  apply()
}
export function suggestTheme(name: ThemeName | null): void {
  override = name
  apply()
}
export function startTheme(): void {
  system.addEventListener('change', (event) => {
    systemDark = event.matches
    apply()
  })
  apply()
}
function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
export function useTheme(): ThemeName {
  return useSyncExternalStore(subscribe, themeName)
}
