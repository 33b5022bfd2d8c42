/** What a table shows of its rows, and in which order. */
export type Value = string | number | null
export type Sort = { by: string; down: boolean }
type Valued<T> = { id: string; value?: (row: T) => Value }

/** Rows of which some column has every word of TEXT, by the column that SORT names; equals keep their order, nothing comes last. */
export function arranged<T>(
  rows: T[],
  columns: Valued<T>[],
  text: string,
  sort: Sort | null,
  language: string,
): T[] {
  const words = text.toLocaleLowerCase(language).split(/\s+/).filter(Boolean)
  const values = columns.flatMap((c) => (c.value ? [c.value] : []))
  const has = (row: T) => {
    const said = values
      .map((value) => String(value(row) ?? ''))
      .join('\n')
      .toLocaleLowerCase(language)
    return words.every((word) => said.includes(word))
  }
  const found = words.length > 0 ? rows.filter(has) : rows
  const value = columns.find((c) => c.id === sort?.by)?.value
  if (sort === null || value === undefined) return found
  const { compare } = new Intl.Collator(language, { numeric: true })
  const keyed = found.map((row) => ({ row, key: value(row) }))
  keyed.sort((a, b) => {
    if (a.key === null || b.key === null) return a.key === b.key ? 0 : a.key === null ? 1 : -1
    const order =
      typeof a.key === 'number' && typeof b.key === 'number'
        ? a.key - b.key
        : compare(String(a.key), String(b.key))
    return sort.down ? -order : order
  })
  return keyed.map(({ row }) => row)
}

/** "name" up, "-name" down. */
export function sortOf(text: string | null): Sort | null {
  if (!text) return null
  return text.startsWith('-') ? { by: text.slice(1), down: true } : { by: text, down: false }
}
/** Up, down, then as it came. */
export function nextSort(now: Sort | null, by: string): string | null {
  if (now?.by !== by) return by
  return now.down ? null : `-${by}`
}
