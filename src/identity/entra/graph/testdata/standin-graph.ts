/**
 * A stand-in for Microsoft Graph, for tests: users' groups as `GET /v1.0/users/{id}/transitiveMemberOf` documents them, paged by
 * `@odata.nextLink`. It misbehaves when told to.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StandInGroup {
  readonly id: string
  readonly displayName: string | null
  /** `group` unless said. */
  readonly type?: 'group' | 'directoryRole' | 'administrativeUnit'
  readonly securityEnabled?: boolean | null
}

export type Misbehaviour =
  | 'hang'
  | 'drop'
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }

export interface StandInGraph {
  readonly origin: string
  /** Groups by `users/{id}` or `servicePrincipals/{id}`. */
  readonly members: Map<string, readonly StandInGroup[]>
  readonly requests: {
    readonly url: string
    readonly authorization: string | undefined
    readonly headers: Readonly<Record<string, unknown>>
  }[]
  /** The next answers, in order, in place of the good ones. */
  readonly misbehaviour: Misbehaviour[]
  /** Tokens that are good; all are if undefined. */
  tokens: Set<string> | undefined
  pageSize: number
  /** Takes the place of the next page's URL. */
  nextLink: ((url: string) => unknown) | undefined
  close(): Promise<void>
}

const PATH = /^\/v1\.0\/((?:users|servicePrincipals)\/[0-9a-f-]{36})\/transitiveMemberOf$/

export async function standInGraph(): Promise<StandInGraph> {
  const server = createServer((request, response) => {
    // A connection that is used again would be asked a second time by the client itself, when it breaks.
    response.setHeader('connection', 'close')
    const url = new URL(request.url ?? '/', graph.origin)
    const { authorization } = request.headers
    graph.requests.push({ url: request.url ?? '', authorization, headers: request.headers })
    const told = graph.misbehaviour.shift()
    if (told === 'hang') return
    if (told === 'drop') return void request.socket.destroy()
    if (told !== undefined) return void response.writeHead(told.status, told.headers).end(told.body ?? refusal(told.status))
    const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1]
    const say = (status: number, body: string): void => void response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    if (token === undefined || graph.tokens?.has(token) === false) return say(401, refusal(401))
    const account = PATH.exec(url.pathname)?.[1]
    const members = account === undefined ? undefined : graph.members.get(account)
    if (members === undefined) return say(404, refusal(404))
    const from = Number(url.searchParams.get('$skiptoken') ?? 0)
    const size = Math.min(graph.pageSize, Number(url.searchParams.get('$top') ?? 100))
    const selected = url.searchParams.get('$select')?.split(',') ?? []
    const value = members.slice(from, from + size).map(({ id, displayName, type = 'group', securityEnabled = true }) => ({
      '@odata.type': `#microsoft.graph.${type}`,
      id,
      ...(selected.includes('displayName') ? { displayName } : {}),
      ...(type === 'group' && selected.includes('securityEnabled') && securityEnabled !== null ? { securityEnabled } : {}),
    }))
    const next = new URL(url)
    next.searchParams.set('$skiptoken', String(from + size))
    const link = graph.nextLink === undefined ? next.href : graph.nextLink(next.href)
    const more = from + size < members.length ? { '@odata.nextLink': link } : {}
    say(200, JSON.stringify({ '@odata.context': `${graph.origin}/v1.0/$metadata#directoryObjects(id,displayName)`, ...more, value }))
  })
  const graph: StandInGraph = {
    origin: '',
    members: new Map(),
    requests: [],
    misbehaviour: [],
    tokens: undefined,
    pageSize: 999,
    nextLink: undefined,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  Object.assign(graph, { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  return graph
}

function refusal(status: number): string {
  const innerError = { date: '2026-01-01T00:00:00', 'request-id': '11111111-2222-4333-8444-555555555555' }
  return JSON.stringify({ error: { code: `Status${status}`, message: 'a text that nobody should see', innerError } })
}

/** `count` groups with ids that are made of `n` and a number. */
export function groupsNamed(n: string, count: number): readonly StandInGroup[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `${n.repeat(8)}-0000-4000-8000-${String(i).padStart(12, '0')}`,
    displayName: `group ${n}${i}`,
  }))
}
