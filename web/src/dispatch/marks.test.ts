import { describe, expect, it } from 'vitest'
import { clustersOf } from './clusters.ts'
import { ROW, type Row, Slots } from './slots.ts'

const row = (n: number): Row => ({
  fromX: n,
  fromY: 0,
  toX: n,
  toY: 0,
  fromTurn: 0,
  toTurn: 0,
  start: 0,
  end: 0,
  seen: 0,
  picture: 1,
  shown: true,
})

describe('rows for the graphics card', () => {
  it('stay side by side whatever goes and comes', () => {
    const slots = new Slots()
    const here = new Map<string, number>()
    let seed = 7
    const random = (n: number) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31
      return seed % n
    }
    for (let turn = 0; turn < 5000; turn++) {
      const id = `v${random(700)}`
      if (random(3) === 0) {
        slots.remove(id)
        here.delete(id)
      } else {
        expect(slots.set(id, row(turn))).toBe(true)
        here.set(id, turn)
      }
    }
    expect(slots.count).toBe(here.size)
    expect([...slots.known()].sort()).toEqual([...here.keys()].sort())
    for (const [id, n] of here) expect(slots.row(id)?.[0]).toBe(n)
    expect(slots.data.length).toBeGreaterThanOrEqual(slots.count * ROW)
    expect(slots.row('nobody')).toBeUndefined()
  })
})

describe('clusters', () => {
  const at = (id: string, x: number, y: number) => ({ id, x, y })
  it('are four or more within reach, wherever they lie', () => {
    for (const dx of [0, 17, 35.5, 36, 1000]) {
      const places = [
        at('a', dx + 10, 10),
        at('b', dx + 20, 10),
        at('c', dx + 10, 30),
        at('d', dx + 40, 30),
        at('e', dx + 100, 10),
        at('f', dx + 101, 10),
        at('g', dx + 102, 10),
      ]
      const box = [dx + 10, 10, dx + 40, 30]
      expect(clustersOf(places)).toEqual([{ ids: ['a', 'b', 'c', 'd'], x: dx + 20, y: 20, box }])
    }
  })
  it('gather each vehicle once, and leave none behind in a crowd', () => {
    const crowd = Array.from({ length: 5000 }, (_, n) => at(`v${n}`, (n * 7919) % 1009, (n * 104729) % 997))
    const ids = clustersOf(crowd).flatMap((c) => c.ids)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBeGreaterThan(4800)
  })
  it('are none where nobody is', () => expect(clustersOf([])).toEqual([]))
})
