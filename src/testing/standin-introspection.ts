/**
 * A stand-in for a provider's introspection endpoint (RFC 7662), for tests. It reads requests for itself, by the RFCs, so that it can't agree
 * with the gateway on a mistake. And it misbehaves when told to.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from './tokens.ts'

/** How the stand-in misbehaves. An answer takes the place of the right one; `hang` never answers. */
export type Misbehaviour =
  | 'hang'
  | 'drop'
  | { readonly status: number; readonly body: string | Buffer; readonly headers?: Readonly<Record<string, string>> }

export interface StandInIntrospection {
  readonly endpoint: string
  /** What it says of each active token, without `active`. Of others it says that they are not. */
  readonly tokens: Map<string, JsonObject>
  /** Who may ask: the value of `Authorization`. */
  readonly admitted: Set<string>
  /** The tokens that it was asked about, newest last. */
  readonly asked: string[]
  misbehave: Misbehaviour | undefined
  close(): Promise<void>
}

/** Starts it on a free port of loopback. */
export async function startStandInIntrospection(): Promise<StandInIntrospection> {
  const standin = {
    endpoint: '',
    tokens: new Map<string, JsonObject>(),
    admitted: new Set<string>(),
    asked: [] as string[],
    misbehave: undefined as Misbehaviour | undefined,
    close: async (): Promise<void> => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const server = createServer((request, response) => {
    void read(request).then((body) => {
      const token = tokenOf(request, body)
      if (token !== undefined) standin.asked.push(token)
      if (standin.misbehave === 'hang') return
      if (standin.misbehave === 'drop') return void request.socket.destroy()
      if (standin.misbehave !== undefined) {
        const { status, body: answer, headers } = standin.misbehave
        return void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(answer)
      }
      const known = token === undefined ? undefined : standin.tokens.get(token)
      const [status, answer] =
        token === undefined
          ? [400, { error: 'invalid_request' }]
          : standin.admitted.has(request.headers.authorization ?? '')
            ? [200, known === undefined ? { active: false } : { active: true, ...known }]
            : [401, { error: 'invalid_client' }]
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  standin.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/introspect`
  return standin
}

/** The token of a request as RFC 7662 §2.1 has it: once, in a form that was posted. */
function tokenOf({ method, url, headers }: IncomingMessage, body: string): string | undefined {
  if (method !== 'POST' || url !== '/introspect' || headers['content-type'] !== 'application/x-www-form-urlencoded') return undefined
  const tokens = new URLSearchParams(body).getAll('token')
  return tokens.length === 1 ? tokens[0] : undefined
}

async function read(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
