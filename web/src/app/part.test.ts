import { describe, expect, it } from 'vitest'
import { patiently } from './part.ts'

describe('what comes by itself', () => {
  it('is asked for again while it does not come, ever later', async () => {
    const waits: number[] = []
    let left = 3
    const load = async () => {
      if (left-- > 0) throw new TypeError('Failed to fetch')
      return 'here'
    }
    const wait = async (ms: number) => void waits.push(ms)
    expect(await patiently(load, wait)).toBe('here')
    expect(waits).toEqual([500, 1000, 2000])
  })
  it('is given up after a while', async () => {
    let tries = 0
    const load = async () => {
      tries++
      throw new TypeError('Failed to fetch')
    }
    await expect(patiently(load, async () => undefined)).rejects.toThrow('Failed to fetch')
    expect(tries).toBe(6)
  })
  it('is given up at once where trying again is no use', async () => {
    const waits: number[] = []
    const failures = [new Error('soon'), new Error('never')]
    const load = async () => {
      throw failures.shift()
    }
    const wait = async (ms: number) => void waits.push(ms)
    const again = (error: unknown) => error instanceof Error && error.message === 'soon'
    await expect(patiently(load, wait, { firstMs: 250, again })).rejects.toThrow('never')
    expect(waits).toEqual([250])
  })
})
