import { describe, expect, it } from 'vitest'
import { Glide, turn } from './glide.ts'

describe('turning', () => {
  it('goes the short way', () => {
    expect(turn(350, 10)).toBe(20)
    expect(turn(10, 350)).toBe(-20)
    expect(turn(0, 180)).toBe(-180)
  })
})

describe('gliding', () => {
  it('is half way after half of the time between fixes', () => {
    const glide = new Glide(false)
    glide.move('a', 11, 57, 350, 0)
    glide.move('a', 11.001, 57.001, 10, 2000)
    const half = glide.at('a', 3000)
    expect(half?.lng).toBeCloseTo(11.0005)
    expect(half?.bearing).toBeCloseTo(0)
    expect(glide.moving(3000)).toBe(true)
    expect(glide.at('a', 4000)).toEqual({ lng: 11.001, lat: 57.001, bearing: 10 })
    expect(glide.moving(4000)).toBe(false)
  })
  it('jumps over a gap, over a long way, and for whoever wants no motion', () => {
    const late = new Glide(false)
    late.move('a', 11, 57, 0, 0)
    late.move('a', 11.001, 57, 90, 60_000)
    expect(late.at('a', 60_000)?.lng).toBe(11.001)
    const far = new Glide(false)
    far.move('a', 11, 57, 0, 0)
    far.move('a', 12, 57, 90, 1000)
    expect(far.at('a', 1000)?.lng).toBe(12)
    const still = new Glide(true)
    still.move('a', 11, 57, 0, 0)
    still.move('a', 11.001, 57, 90, 1000)
    expect(still.at('a', 1000)?.lng).toBe(11.001)
  })
  it('keeps the bearing of who stands', () => {
    const glide = new Glide(false)
    glide.move('a', 11, 57, 90, 0)
    glide.move('a', 11, 57, null, 1000)
    expect(glide.at('a', 9000)?.bearing).toBe(90)
    glide.remove('a')
    expect(glide.at('a', 9000)).toBeNull()
  })
})
