/** The socket, away from the page: see wire.ts. */
import { Handful } from './handful.ts'
import type { FromWorker, ToWorker } from './wire.ts'

const HAND_ON_MS = 50

const page = self as unknown as { postMessage: (message: FromWorker) => void; close: () => void }
const handful = new Handful()
let socket: WebSocket | undefined
let timer: ReturnType<typeof setTimeout> | undefined

function handOn(): void {
  clearTimeout(timer)
  timer = undefined
  if (!handful.isEmpty()) page.postMessage({ positions: handful.give() })
}
function hear(text: string): void {
  if (handful.take(text)) {
    timer ??= setTimeout(handOn, HAND_ON_MS)
    return
  }
  handOn() // in the order in which it was said
  page.postMessage({ text })
}
function open(url: string, protocols: string[]): void {
  socket = new WebSocket(url, protocols)
  socket.onopen = () => page.postMessage({ opened: true })
  socket.onmessage = (message) => hear(String(message.data))
  socket.onclose = () => {
    handOn()
    page.postMessage({ closed: true })
    page.close()
  }
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if ('open' in data) open(data.open.url, data.open.protocols)
  else if ('send' in data) socket?.readyState === WebSocket.OPEN && socket.send(data.send)
  else socket?.close()
}
