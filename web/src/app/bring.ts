/** What goes before each import() of the built app (vite.config.ts puts it there). Most browsers keep that a module did not
 * come: whoever imports it again gets the same failure until the page is loaded anew. So its files are fetched first, where a
 * failure is nobody's memory, and it is imported once they are here: out of the browser's cache. */
type Bring = (href: string) => Promise<void>

/** Asks for each file once, and again if it did not come. */
export function fetchedOnce(get: typeof fetch): Bring {
  const asked = new Map<string, Promise<void>>()
  async function ask(href: string): Promise<void> {
    const answer = await get(href, { credentials: 'same-origin' }) // as an import is
    if (!answer.ok) throw new TypeError(`${href} did not come: ${answer.status}`)
    await answer.arrayBuffer()
  }
  return (href) => {
    const before = asked.get(href)
    if (before !== undefined) return before
    const now = ask(href)
    asked.set(href, now)
    now.catch(() => asked.delete(href))
    return now
  }
}

/** A stylesheet that is in the page once it has come; what failed is taken out, for the next try. */
function styled(href: string): Promise<void> {
  const link = document.createElement('link')
  link.rel = 'stylesheet'
  link.href = href
  const here = new Promise<void>((done, fail) => {
    link.addEventListener('load', () => done())
    link.addEventListener('error', () => fail(new TypeError(`${href} did not come`)))
  })
  document.head.append(link)
  here.catch(() => link.remove())
  return here
}

const fetched = fetchedOnce((...request) => fetch(...request))
const styles = new Map<string, Promise<void>>()
function styledOnce(href: string): Promise<void> {
  const now = styles.get(href) ?? styled(href)
  styles.set(href, now)
  now.catch(() => styles.delete(href))
  return now
}

/** What the page itself names is on its way. */
function isNamed(href: string): boolean {
  return [...document.head.querySelectorAll('link')].some(
    (link) => link.href === href && (link.rel === 'modulepreload' || link.rel === 'stylesheet'),
  )
}

export async function bring<T>(load: () => Promise<T>, files: string[] = []): Promise<T> {
  const hrefs = files.map((file) => new URL(`/${file}`, document.baseURI).href)
  const missing = hrefs.filter((href) => styles.has(href) || !isNamed(href))
  await Promise.all(missing.map((href) => (href.endsWith('.css') ? styledOnce(href) : fetched(href))))
  return load()
}
