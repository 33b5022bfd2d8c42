/** The API, typed from api/openapi.yaml. A refusal is thrown as a Problem, so that a caller sees data or an error,
 * never both. A token that the server takes no more is renewed once, and the request sent again. */
import createClient, { type Middleware } from 'openapi-fetch'
import { Problem, problemOf } from './problem.ts'
import type { components, paths } from './schema'
import { accessToken, noteServerTime } from './session.ts'

export type Schemas = components['schemas']

async function send(request: Request): Promise<Response> {
  const again = request.clone()
  const token = await accessToken()
  const first = await attempt(request, token)
  if (first.status !== 401 || token === null) return first
  const fresh = await accessToken(token)
  return fresh === null ? first : attempt(again, fresh)
}

async function attempt(request: Request, token: string | null): Promise<Response> {
  if (token !== null) request.headers.set('Authorization', `Bearer ${token}`)
  try {
    const response = await fetch(request)
    noteServerTime(response)
    return response
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Problem(0, { title: 'The server cannot be reached' })
  }
}

const refusals: Middleware = {
  async onResponse({ response }) {
    if (!response.ok && response.status !== 304) throw await problemOf(response)
    return response
  },
}

export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: send })
api.use(refusals)

/** The data of an answer that has some. */
export async function data<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T
}

/** A key for one act of a person: made when he begins it, so that however often it is sent it is done once. */
export function idempotencyKey(): string {
  return crypto.randomUUID()
}
