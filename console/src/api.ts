/** The admin API as the console sees it. Shapes are those of docs/admin-api.md. */
export interface Me {
  readonly issuer: string
  readonly subject: string
  readonly kind: string
  readonly display?: string
  readonly roles: readonly string[]
}

export interface Problem {
  readonly title: string
  readonly detail?: string
  readonly status: number
}

export class ApiError extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.title)
    this.problem = problem
  }
}

export function get<T>(path: string): Promise<T> {
  return send<T>('GET', path)
}

export async function send<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
  const response = await fetch(path, {
    method,
    headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    credentials: 'same-origin',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (response.ok) return (await response.json()) as T
  const problem = (await response.json().catch(() => ({ title: response.statusText, status: response.status }))) as Problem
  throw new ApiError({ ...problem, status: response.status })
}

/** What to say of a request that failed. */
export function problemOf(error: unknown): Problem {
  return error instanceof ApiError ? error.problem : { title: 'the gateway can not be reached', status: 0 }
}
