/** Which rows of a list are chosen together, as lists do it everywhere: a press chooses one, with Ctrl one more or one less,
 * with Shift all up to it; Ctrl+A all. Pure. */
export type Selection = { ids: ReadonlySet<string>; anchor: string | null }
export const nothing: Selection = { ids: new Set(), anchor: null }

type Keys = { ctrlKey: boolean; metaKey: boolean; shiftKey: boolean }

export function pressed(s: Selection, list: readonly string[], id: string, keys: Keys): Selection {
  if (keys.shiftKey) return { ids: between(list, s.anchor ?? id, id), anchor: s.anchor ?? id }
  if (keys.ctrlKey || keys.metaKey) return toggled(s, id)
  return { ids: new Set([id]), anchor: id }
}

export function toggled(s: Selection, id: string): Selection {
  const ids = new Set(s.ids)
  if (!ids.delete(id)) ids.add(id)
  return { ids, anchor: id }
}

/** All from A to B, whichever stands first; only B where A is not in the list any more. */
export function between(list: readonly string[], a: string, b: string): Set<string> {
  const [from, to] = [list.indexOf(a), list.indexOf(b)]
  if (to < 0) return new Set()
  return from < 0 ? new Set([b]) : new Set(list.slice(Math.min(from, to), Math.max(from, to) + 1))
}

export const all = (list: readonly string[]): Selection => ({ ids: new Set(list), anchor: list[0] ?? null })

/** What is not in the list any more is not chosen any more. The same object where nothing changes. */
export function still(s: Selection, list: readonly string[]): Selection {
  const there = new Set(list)
  const gone = [...s.ids].some((id) => !there.has(id))
  return gone ? { ids: new Set([...s.ids].filter((id) => there.has(id))), anchor: s.anchor } : s
}
