/** The socket itself. A console is told of thousands of places a second, and each message costs the thread that gets it, whatever
 * is in it: there the socket lies in a worker, which hands places on by the handful. Everywhere else it lies in the page. */
import type { Position } from './live.ts'

type Heard = {
  text: (text: string) => void
  positions: (positions: Position[]) => void
  closed: () => void
}
export type Wire = {
  isOpen: () => boolean
  send: (text: string) => void
  /** Nothing is heard from then on. */
  close: () => void
}
/** Between the page and the worker. */
export type ToWorker = { open: { url: string; protocols: string[] } } | { send: string } | { close: true }
export type FromWorker = { opened: true } | { text: string } | { positions: Position[] } | { closed: true }

export function openWire(url: string, protocols: string[], heard: Heard, apart: boolean): Wire {
  return apart ? inWorker(url, protocols, heard) : inPage(url, protocols, heard)
}

function inPage(url: string, protocols: string[], heard: Heard): Wire {
  const socket = new WebSocket(url, protocols)
  let open = true
  socket.onmessage = (message) => open && heard.text(String(message.data))
  socket.onclose = () => open && heard.closed()
  return {
    isOpen: () => socket.readyState === WebSocket.OPEN,
    send: (text) => socket.send(text),
    close: () => {
      open = false
      socket.close()
    },
  }
}

function inWorker(url: string, protocols: string[], heard: Heard): Wire {
  const worker = new Worker(new URL('./wire.worker.ts', import.meta.url), { type: 'module' })
  const tell = (message: ToWorker) => worker.postMessage(message)
  let state: 'opening' | 'open' | 'closed' = 'opening'
  const end = () => {
    if (state === 'closed') return
    state = 'closed'
    heard.closed()
  }
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (state === 'closed') return
    if ('opened' in data) state = 'open'
    else if ('text' in data) heard.text(data.text)
    else if ('positions' in data) heard.positions(data.positions)
    else end()
  }
  worker.onerror = end // its script could not be had
  tell({ open: { url, protocols } })
  return {
    isOpen: () => state === 'open',
    send: (text) => tell({ send: text }),
    close: () => {
      state = 'closed'
      tell({ close: true }) // it ends itself when the socket has closed
    },
  }
}
