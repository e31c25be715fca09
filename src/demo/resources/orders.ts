/** The demo's API. It trusts nothing but the gateway's assertion: see `assertion.ts`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../core/clock.ts'
import { listenOnLoopback, readText, type ListenOptions } from '../listener.ts'
import { ASSERTION_FIELD, assertionVerifier, type Asserted, type AssertionTrust } from './assertion.ts'
import { OrderBook } from './book.ts'
import { ordersPage, PAGE_POLICY } from './page.ts'
import { download, echo, MAX_ROWS, ticker } from './streams.ts'

export interface OrdersOptions extends ListenOptions {
  readonly doorOrigin: AssertionTrust['doorOrigin']
  /** Audience of its assertions. Default `orders`. */
  readonly audience?: string | undefined
  readonly clock: Clock
}

export interface OrdersApi {
  /** `http://127.0.0.1:8083`, without trailing slash. */
  readonly url: string
  readonly book: OrderBook
  close(): Promise<void>
}

const MAX_BODY = 64 * 1024

/** Starts the orders API. @throws OstiaryError `demo/not-loopback`, `demo/port-taken`, `demo/listen` */
export async function startOrders({ doorOrigin, audience = 'orders', clock, ...listen }: OrdersOptions): Promise<OrdersApi> {
  const verify = assertionVerifier({ doorOrigin, audience, clock })
  const book = new OrderBook()
  const sockets = echo()

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = pathOf(request)
    if (path === '/healthz') return json(response, 200, { status: 'ok' })
    const verified = await verify(assertionOf(request), request.method ?? '', path)
    if (!verified.ok) return refuse(response, verified.status, verified.reason)
    return serve(request, response, path, verified.claims, book, clock)
  }
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const path = pathOf(request)
    const verified = await verify(assertionOf(request), request.method ?? '', path)
    if (verified.ok && path === '/orders/socket') return sockets.upgrade(request, socket, head)
    const status = verified.ok ? '404 Not Found' : verified.status === 401 ? '401 Unauthorized' : '503 Service Unavailable'
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  }

  const listening = await listenOnLoopback('the demo’s orders API', listen, (request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  // The handshake of a WebSocket without one is no reason to fall.
  listening.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    upgrade(request, socket, head).catch(() => socket.destroy())
  })
  return {
    url: `http://${listening.host}:${listening.port}`,
    book,
    close: async () => {
      sockets.close()
      await listening.close()
    },
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  claims: Asserted,
  book: OrderBook,
  clock: Clock,
): Promise<void> {
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '')
  const id = /^\/orders\/([^/]+)$/.exec(path)?.[1] ?? ''
  switch (`${method} ${id === '' || id === 'stream' ? path : '/orders/{id}'}`) {
    case 'GET /':
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': PAGE_POLICY,
      })
      return void response.end(ordersPage(book.list(), claims))
    case 'GET /orders':
      return json(response, 200, { orders: book.list() })
    case 'POST /orders': {
      const text = await readText(request, MAX_BODY)
      if (text === undefined) return problem(response, 413, `an order is at most ${MAX_BODY} bytes`)
      const made = book.create(parse(text), claims.sub ?? '')
      if (typeof made === 'string') return problem(response, 422, made)
      return json(response, 201, made, { location: `/orders/${made.id}` })
    }
    case 'GET /orders/{id}': {
      const order = book.get(id)
      return order === undefined ? problem(response, 404, 'there is no such order') : json(response, 200, order)
    }
    case 'DELETE /orders/{id}':
      if (!book.delete(id)) return problem(response, 404, 'there is no such order')
      response.writeHead(204)
      return void response.end()
    case 'GET /orders/stream':
      return request.method === 'HEAD' ? head(response, 'text/event-stream') : ticker(response, clock)
    case 'GET /export/orders.csv': {
      const rows = Number(new URL(request.url ?? '/', 'http://orders').searchParams.get('rows') ?? 100_000)
      if (!Number.isInteger(rows) || rows < 0 || rows > MAX_ROWS)
        return problem(response, 400, `\`rows\` is a whole number up to ${MAX_ROWS}`)
      return request.method === 'HEAD' ? head(response, 'text/csv; charset=utf-8') : download(response, rows)
    }
    case 'GET /whoami':
      return json(response, 200, whoami(request, claims))
    default:
      return problem(response, 404, 'there is nothing here')
  }
}

/** The answer to HEAD, where the body would be long. */
function head(response: ServerResponse, type: string): void {
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' })
  response.end()
}

/** What reached the API of the caller: the gateway's fields and its assertion, and nothing that could be used again. */
function whoami({ headers }: IncomingMessage, assertion: Asserted): object {
  const shown = Object.entries(headers).filter(
    ([name]) => /^(?:ostiary-|x-forwarded-|traceparent$|via$)/.test(name) && name !== ASSERTION_FIELD,
  )
  return {
    headers: Object.fromEntries(shown),
    assertion,
    credentials: {
      authorization: headers.authorization !== undefined,
      cookies: (headers.cookie ?? '').split(';').filter((one) => one.trim() !== '').length,
    },
  }
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0]!
}

/** Exactly one, or none: two would be a question of who reads which. */
function assertionOf({ rawHeaders }: IncomingMessage): string | undefined {
  const found = rawHeaders.flatMap((name, i) => (i % 2 === 0 && name.toLowerCase() === ASSERTION_FIELD ? [rawHeaders[i + 1]!] : []))
  return found.length === 1 ? found[0] : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function json(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
  response.end(`${JSON.stringify(body)}\n`)
}

/** RFC 9457. */
function problem(response: ServerResponse, status: number, detail: string, headers: Readonly<Record<string, string>> = {}): void {
  json(response, status, { type: 'about:blank', status, detail }, { 'content-type': 'application/problem+json', ...headers })
}

function refuse(response: ServerResponse, status: 401 | 503, reason: string): void {
  problem(response, status, reason, status === 401 ? { 'www-authenticate': 'Ostiary-Assertion' } : { 'retry-after': '2' })
}
