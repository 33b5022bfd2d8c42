/** Swagger UI made to fit into our pages: one heading, one main part, no link inside a button, no second sign-in. */
type Props = Record<string, unknown>
type Part = (props: Props) => unknown
type React = { createElement: (part: unknown, props?: object | null, ...children: unknown[]) => unknown }
type System = {
  React: React
  getComponent: (name: string, container?: boolean) => Part
  specSelectors: { info: () => { get: (key: string) => unknown } }
}

const wrapped = (part: Part) => () => part
const nothing = wrapped(() => null)

export const lorryPlugin = (system: System) => {
  const el = system.React.createElement
  const info = (_: Part, its: System) => () =>
    el(
      'div',
      { className: 'info' },
      el(its.getComponent('Markdown', true), { source: its.specSelectors.info().get('description') }),
    )
  const part = (name: string, container = true) => el(system.getComponent(name, container))
  const layout = () =>
    el(
      'div',
      { className: 'swagger-ui' },
      part('InfoContainer'),
      el('h2', null, 'Operations'),
      part('operations'),
      part('Models'),
    )
  return {
    components: {
      LorryLayout: layout,
    },
    wrapComponents: {
      info,
      OAS31Info: info,
      DeepLink: wrapped((props) => el('span', null, props.text)),
      // `Authorize` would keep a second token beside the session's, which ends: the session's goes along by itself.
      authorizeOperationBtn: nothing,
      // Says in a second button what the first one says, and cannot be reached by keyboard.
      CopyToClipboardBtn: nothing,
    },
  }
}

/** Names the choices of an example, which the viewer leaves without a name, and lets the keyboard into what scrolls. */
export function mend(box: HTMLElement): () => void {
  const watcher = new MutationObserver(() => {
    for (const select of box.querySelectorAll('select:not([aria-label], [id])')) {
      const label = select.parentElement?.querySelector('label, span')?.textContent?.trim()
      select.setAttribute('aria-label', label || 'Example')
    }
    for (const text of box.querySelectorAll('pre.microlight:not([tabindex])'))
      text.setAttribute('tabindex', '0')
  })
  watcher.observe(box, { childList: true, subtree: true })
  return () => watcher.disconnect()
}
