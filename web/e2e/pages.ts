/** What is asked of every page, whatever it is of. */
import { expect, type Page } from '@playwright/test'
import { accessible } from './lorry.ts'

/** How far anything that scrolls up and down also scrolls sideways. */
const sideways = () =>
  [document.documentElement, ...document.querySelectorAll('main, main *')]
    .filter((e) => e === document.documentElement || getComputedStyle(e).overflowY === 'auto')
    .filter((e) => getComputedStyle(e).overflowX !== 'clip' && !e.matches('nav'))
    .reduce((most, e) => Math.max(most, e.scrollWidth - e.clientWidth), 0)

/** Texts that are the key of a word; what is data stands in <bdi> or <code>. */
const untold = () => {
  const found: string[] = []
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode())
    if (/^[a-z]\w*(\.[a-z]\w*)+$/.test(node.textContent ?? '') && !node.parentElement?.closest('bdi, code'))
      found.push(node.textContent ?? '')
  return found
}

/** Fields that lie over one another. */
const overlapping = () => {
  const fields = [...document.querySelectorAll('main input:not(.sr-only), main select, main textarea')]
  const boxes = fields.map((field) => field.getBoundingClientRect()).filter((box) => box.width > 0)
  return boxes.flatMap((a, i) =>
    boxes
      .slice(i + 1)
      .filter(
        (b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1,
      )
      .map(
        (b) => `${Math.round(a.left)},${Math.round(a.top)} and ${Math.round(b.left)},${Math.round(b.top)}`,
      ),
  )
}

/** Whoever is signed in sees PATH on a phone of 320 px, light and dark, in each language: nothing is cut off, axe finds nothing. */
export async function looksRight(page: Page, path: string): Promise<void> {
  const was = page.viewportSize()
  await page.setViewportSize({ width: 320, height: 640 })
  for (const [language, scheme] of [
    ['en', 'dark'],
    ['sv', 'light'],
    ['hi', 'dark'],
    ['ar', 'light'],
  ] as const) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.evaluate((l) => localStorage.setItem('lorry.language', l), language)
    await page.goto(new URL(path, page.url()).href)
    await expect(page.locator('html')).toHaveAttribute('lang', language)
    await expect(page.locator('html')).toHaveAttribute('dir', language === 'ar' ? 'rtl' : 'ltr')
    await accessible(page)
    expect(await page.evaluate(sideways), `${path} in ${language} is wider than the phone`).toBe(0)
    expect(await page.evaluate(untold), `${path} in ${language} says keys, not words`).toEqual([])
  }
  // In between, too: what stands in columns there must not run into its neighbour.
  for (const width of [400, 800]) {
    await page.setViewportSize({ width, height: 800 })
    expect(await page.evaluate(sideways), `${path} is wider than ${width} px`).toBe(0)
    expect(await page.evaluate(overlapping), `${path} at ${width} px`).toEqual([])
  }
  await page.evaluate(() => localStorage.setItem('lorry.language', 'en'))
  await page.emulateMedia({ colorScheme: 'light' })
  if (was !== null) await page.setViewportSize(was)
}
