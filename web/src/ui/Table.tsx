/** A table of any number of rows: sorted, searched, read page by page. Only the rows in sight are in the page, so that
 * ten thousand stay smooth. What it is sorted and searched by stands in the address. */
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { Button, cx, Empty, Failure, Skeleton } from './index.tsx'
import { arranged, nextSort, sortOf, type Value } from './order.ts'
import type { Rows } from './pages.ts'

export type Column<T> = {
  id: string
  head: string
  cell: (row: T) => ReactNode
  /** What it is sorted by and searched in; without it, it is neither. */
  value?: (row: T) => Value
  /** Shown only where there is room: what it says must be found on the row's own page, too. */
  wide?: boolean
  numeric?: boolean
  /** As CSS says it; the rest is shared evenly. */
  width?: string
}
type Props<T> = {
  /** What the table is of. */
  label: string
  columns: Column<T>[]
  rows: Rows<T>
  keyOf: (row: T) => string
  /** Opens a row: the first column is a button then. */
  onOpen?: (row: T) => void
  opened?: string | null
  /** Says what is searched, where it can be. */
  search?: string
  /** Filters that the server knows; FILTERED tells that some of them are set, ONCLEAR unsets them. */
  filters?: ReactNode
  filtered?: boolean
  onClear?: () => void
  empty: ReactNode
  /** ROWS are already fewer than what was read: all must be read before there is said to be none. */
  whole?: boolean
  /** Before the names of its parts in the address, where a page has more than one table. */
  name?: string
  className?: string
}
const ROW = 44 // px
const BEYOND = 8 // rows outside of what is in sight
const TYPING_MS = 300

export function Table<T>(props: Props<T>) {
  const { t, i18n } = useTranslation()
  const { columns, rows, name = '' } = props
  const [query, setQuery] = useSearchParams()
  const [text, setText] = useState(query.get(`${name}q`) ?? '')
  const sort = sortOf(query.get(`${name}sort`))
  const set = (key: string, value: string | null) =>
    setQuery(
      (before) => {
        const next = new URLSearchParams(before)
        value ? next.set(name + key, value) : next.delete(name + key)
        return next
      },
      { replace: true },
    )
  // The address follows what is typed, a moment later.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only typing moves it
  useEffect(() => {
    if (text === (query.get(`${name}q`) ?? '')) return
    const timer = setTimeout(() => set('q', text || null), TYPING_MS)
    return () => clearTimeout(timer)
  }, [text])
  const sortText = sort === null ? '' : `${sort.down ? '-' : ''}${sort.by}`
  const list = useMemo(
    () => arranged(rows.items, columns, text, sortOf(sortText), i18n.language),
    [rows.items, columns, text, sortText, i18n.language],
  )
  // What is sorted or searched must be there as a whole.
  const whole = text !== '' || sort !== null || props.whole === true
  const failed = rows.error !== null
  useEffect(() => {
    if (whole && rows.more && !rows.fetching && !failed) rows.fetchMore()
  }, [whole, rows, failed])
  const filtered = text !== '' || props.filtered === true

  return (
    <div className={cx('grid min-h-0 grid-cols-1 gap-2', props.className)}>
      <div className="flex flex-wrap items-center gap-2">
        {props.search && (
          <input
            type="search"
            className="min-h-touch min-w-0 grow rounded-control border border-line bg-panel px-3 md:max-w-sm"
            placeholder={props.search}
            aria-label={props.search}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
        {props.filters}
        <p role="status" className="figures ms-auto text-sm text-quiet">
          {!rows.pending &&
            !(failed && rows.items.length === 0) &&
            (rows.more
              ? t(whole ? 'set.reading' : 'set.soFar', { count: list.length })
              : t('set.count', { count: list.length }))}
        </p>
      </div>
      {failed && <Failure error={rows.error} retry={rows.retry} />}
      {rows.pending ? (
        <div className="grid gap-2" aria-busy>
          <span className="sr-only">{t('set.loading')}</span>
          {[0, 1, 2, 3, 4].map((n) => (
            <Skeleton key={n} className="h-10" />
          ))}
        </div>
      ) : list.length > 0 ? (
        <Body {...props} list={list} sort={sort} onSort={(by) => set('sort', nextSort(sort, by))} />
      ) : failed || (whole && rows.more) ? null : filtered ? (
        <Empty
          action={
            <Button
              onClick={() => {
                setText('')
                set('q', null)
                props.onClear?.()
              }}
            >
              {t('set.showAll')}
            </Button>
          }
        >
          {t('set.noneSuch')}
        </Empty>
      ) : (
        props.empty
      )}
    </div>
  )
}

type BodyProps<T> = Props<T> & { list: T[]; sort: ReturnType<typeof sortOf>; onSort: (by: string) => void }
function Body<T>({ label, columns, rows, list, sort, onSort, keyOf, onOpen, opened }: BodyProps<T>) {
  const box = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(800)
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const watcher = new ResizeObserver(() => setHeight(element.clientHeight))
    watcher.observe(element)
    return () => watcher.disconnect()
  }, [])
  const first = Math.min(Math.max(0, Math.floor(top / ROW) - BEYOND), Math.max(0, list.length - 1))
  const last = Math.min(list.length, Math.ceil((top + height) / ROW) + BEYOND)
  const atEnd = last >= list.length
  useEffect(() => {
    if (atEnd && rows.more && !rows.fetching && rows.error === null) rows.fetchMore()
  }, [atEnd, rows])
  const hidden = (column: Column<T>) => column.wide && 'max-md:hidden'
  return (
    // biome-ignore lint/a11y/useSemanticElements: a region that scrolls must be reached by keys
    <div
      ref={box}
      role="region"
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
      tabIndex={0}
      className="max-h-[70dvh] overflow-y-auto overflow-x-clip rounded-panel border border-line bg-panel"
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <table className="w-full table-fixed text-sm" aria-rowcount={rows.more ? -1 : list.length + 1}>
        <caption className="sr-only">{label}</caption>
        <thead className="sticky top-0 z-10 bg-raised">
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <Head key={column.id} column={column} sort={sort} onSort={onSort} className={hidden(column)} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Spacer height={first * ROW} />
          {list.slice(first, last).map((row, index) => (
            <tr
              key={keyOf(row)}
              aria-rowindex={first + index + 2}
              className={cx(
                'border-t border-line',
                onOpen && 'hover:bg-raised',
                opened === keyOf(row) && 'bg-raised',
              )}
              style={{ height: ROW }}
            >
              {columns.map((column, at) => (
                <td
                  key={column.id}
                  className={cx('truncate px-3 py-0', column.numeric && 'figures text-end', hidden(column))}
                >
                  {at === 0 && onOpen ? (
                    <button
                      type="button"
                      className="min-h-10 w-full truncate text-start font-medium text-accent"
                      onClick={() => onOpen(row)}
                    >
                      {column.cell(row)}
                    </button>
                  ) : (
                    column.cell(row)
                  )}
                </td>
              ))}
            </tr>
          ))}
          <Spacer height={(list.length - last) * ROW} />
        </tbody>
      </table>
    </div>
  )
}

/** One cell wide: to span the columns that are not shown would make room for them. */
function Spacer({ height }: { height: number }) {
  if (height <= 0) return null
  return (
    <tr aria-hidden>
      <td style={{ height }} />
    </tr>
  )
}

type HeadProps<T> = {
  column: Column<T>
  sort: ReturnType<typeof sortOf>
  onSort: (by: string) => void
  className: string | false | undefined
}
function Head<T>({ column, sort, onSort, className }: HeadProps<T>) {
  const sorted = sort?.by === column.id ? (sort.down ? 'descending' : 'ascending') : undefined
  const words = cx('px-3 font-medium text-quiet', column.numeric ? 'text-end' : 'text-start', className)
  return (
    <th scope="col" aria-sort={sorted} className={words} style={{ width: column.width, height: ROW }}>
      {column.value ? (
        <button type="button" className="min-h-10 max-w-full truncate" onClick={() => onSort(column.id)}>
          {column.head}
          <span aria-hidden> {sorted === 'descending' ? '▾' : sorted === 'ascending' ? '▴' : ''}</span>
        </button>
      ) : (
        column.head
      )}
    </th>
  )
}
