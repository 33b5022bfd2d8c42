/** What the server has of a basemap; asked for once. */
import type { Basemap } from './style.ts'

let asked: Promise<Basemap | null> | undefined

export function loadBasemap(): Promise<Basemap | null> {
  asked ??= fetch('/v1/map')
    .then((answer) => (answer.ok ? (answer.json() as Promise<Basemap>) : null))
    .catch(() => {
      asked = undefined // away: the next map asks again
      return null
    })
  return asked
}
