import type { Command } from 'commander'
import { catalogue } from '../core/catalogue/index.ts'
import { OstiaryError, type Code } from '../core/errors.ts'

/** Options of every command that asks a running gateway. */
export function adminOptions(command: Command): Command {
  return command
    .option('--admin <url>', 'admin address of the gateway', process.env['OSTIARY_ADMIN'] ?? 'http://127.0.0.1:8081')
    .option('--as <account>', 'sign in as a demo account, such as auditor')
    .option('--provider <url>', 'the demo’s identity provider', 'http://127.0.0.1:8082')
}

export function adminUrl(command: Command): string {
  return command.opts<{ admin: string }>().admin.replace(/\/+$/, '')
}

/** Asks the admin API of a gateway as somebody. */
export interface AdminClient {
  readonly url: string
  /** The answer's JSON. Refusals and faults are errors of the catalogue (`cli/…`). */
  request(method: string, path: string, body?: unknown): Promise<unknown>
  /** Lines of an answer that goes on, each one JSON document. */
  lines(path: string, signal: AbortSignal): AsyncGenerator<unknown>
}

/** Who asks: a demo account with `--as`, OSTIARY_TOKEN, or the sign-in that `ostiary login` kept. */
export async function adminClient(command: Command): Promise<AdminClient> {
  const url = adminUrl(command)
  const { as, provider } = command.opts<{ as?: string; provider: string }>()
  const { demoToken } = await import('./demo-token.ts')
  const { currentLogin } = await import('./signin/lasting.ts')
  const token = as === undefined ? (process.env['OSTIARY_TOKEN'] ?? (await currentLogin(url))?.token) : await demoToken(provider, as, {})
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }

  const send = async (method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response> => {
    const response = await fetch(url + path, {
      method,
      headers: { accept: 'application/json', ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    }).catch((error: unknown) => {
      throw new OstiaryError('cli/no-gateway', { url, cause: causeOf(error) })
    })
    if (response.ok) return response
    throw await refusal(response, url)
  }
  return {
    url,
    request: async (method, path, body) => (await send(method, path, body)).json(),
    async *lines(path, signal) {
      const response = await send('GET', path, undefined, signal)
      let rest = ''
      try {
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          const parts = (rest + chunk).split('\n')
          rest = parts.pop()!
          for (const line of parts) if (line !== '') yield JSON.parse(line)
        }
      } catch (error) {
        if (!signal.aborted) throw new OstiaryError('cli/no-gateway', { url, cause: causeOf(error) })
      }
    },
  }
}

export function causeOf(error: unknown): string {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  return cause?.code ?? cause?.message ?? (error as Error).message
}

async function refusal(response: Response, url: string): Promise<OstiaryError> {
  if (response.status === 401) {
    await response.body?.cancel()
    return new OstiaryError('cli/not-signed-in', { url })
  }
  const problem = (await response.json().catch(() => ({}))) as {
    title?: string
    detail?: string
    code?: string
    decision?: string
    id?: string
    type?: string
  }
  const reason = problem.detail ?? problem.title ?? 'no reason given'
  if (response.status === 403)
    return new OstiaryError('cli/refused', { reason, decision: problem.decision ?? response.headers.get('ostiary-decision') ?? 'unknown' })
  if (response.status === 404 && problem.id !== undefined) return new OstiaryError('cli/no-decision', { id: problem.id })
  const known = knownError(problem)
  return known ?? new OstiaryError('cli/answer', { status: response.status, reason })
}

/** The admin API's own error, as the gateway threw it: its code says what to do and which exit code fits. */
function knownError(problem: Readonly<Record<string, unknown>>): OstiaryError | undefined {
  const { type } = problem
  const code = typeof type === 'string' ? type.replace(/^urn:ostiary:/, '') : ''
  if (!/^(server|identity)\//.test(code) || !Object.hasOwn(catalogue, code)) return undefined
  const details = Object.entries(problem).filter((entry): entry is [string, string | number] =>
    ['string', 'number'].includes(typeof entry[1]),
  )
  return new OstiaryError(code as Code, Object.fromEntries(details))
}
