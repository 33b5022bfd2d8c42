import { describe, expect, it } from 'vitest'
import { bring, fetchedOnce } from './bring.ts'

describe('what is fetched before it is imported', () => {
  const answers = (...list: (number | Error)[]) => {
    const asked: string[] = []
    const get = (async (href: string) => {
      asked.push(href)
      const next = list.shift()
      if (next instanceof Error) throw next
      return new Response('', { status: next ?? 200 })
    }) as typeof fetch
    return { asked, get }
  }
  it('is asked for once, however many want it', async () => {
    const { asked, get } = answers(200)
    const once = fetchedOnce(get)
    await Promise.all([once('/a.js'), once('/a.js')])
    await once('/a.js')
    expect(asked).toEqual(['/a.js'])
  })
  it('is asked for again when it did not come', async () => {
    const { asked, get } = answers(new TypeError('no network'), 503, 200)
    const once = fetchedOnce(get)
    await expect(once('/a.js')).rejects.toThrow('no network')
    await expect(once('/a.js')).rejects.toThrow('503')
    await once('/a.js')
    await once('/a.js')
    expect(asked).toHaveLength(3)
  })
})

it('what needs no files is imported at once', async () => {
  expect(await bring(async () => 'here')).toBe('here')
})
