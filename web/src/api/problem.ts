/** What the server says when it refuses: RFC 9457, with a pointer for every bad field. */
export type FieldError = { pointer: string; detail: string }

export class Problem extends Error {
  readonly status: number
  /** The last part of the type: "quote-expired". "offline" when the server could not be reached. */
  readonly kind: string
  readonly fields: FieldError[]
  readonly requestId: string | undefined
  /** Seconds to wait before another try; undefined: the server has not said. */
  readonly retryAfterS: number | undefined
  /** All members, for problems that carry more ("allowed", "boundary"). */
  readonly members: Record<string, unknown>

  constructor(status: number, members: Record<string, unknown>, retryAfterS?: number) {
    super(String(members.detail ?? members.title ?? status))
    this.name = 'Problem'
    this.status = status
    this.kind = String(members.type ?? '').replace(/^.*\//, '') || (status === 0 ? 'offline' : 'unknown')
    this.fields = Array.isArray(members.errors) ? (members.errors as FieldError[]) : []
    this.requestId = typeof members.request_id === 'string' ? members.request_id : undefined
    this.retryAfterS = retryAfterS
    this.members = members
  }
}

export async function problemOf(response: Response): Promise<Problem> {
  let members: Record<string, unknown> = {}
  try {
    members = (await response.clone().json()) as Record<string, unknown>
  } catch {
    // A proxy's page, or nothing at all: the status has to do.
  }
  const wait = Number(response.headers.get('Retry-After') ?? Number.NaN)
  return new Problem(response.status, members, Number.isFinite(wait) ? wait : undefined)
}

/** Could the same request go through later, unchanged? */
export function isPassing(error: unknown): boolean {
  return error instanceof Problem && (error.status === 0 || error.status === 429 || error.status >= 500)
}
