/**
 * `npm run load -- checks`: what an answer to an Envoy costs, next to a handler of the same gRPC that says yes to everything. The servers are
 * processes of their own; whoever asks isn't measured.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js'
import { definitionOf } from '../../../src/envoy/grpc.ts'
import {
  Authorization,
  CheckRequestSchema,
  CheckResponseSchema,
  type CheckRequest,
  type CheckResponse,
} from '../../../src/envoy/messages/envoy/service/auth/v3/external_auth_pb.ts'
import { startGateway } from '../../../src/server/start.ts'
import { signToken, testKey } from '../../../src/testing/tokens.ts'
import { median } from '../pairs.ts'
import { gatewayOptions } from '../processes.ts'

const AT_ONCE = 32
const SLICE = 4_000
const TOKENS = 200
const RULES = 100
/** Of a process: the gateway's signs what is shown to it. */
const KEY = testKey('k', 'ES256')
const TOKENS_FILE = 'tokens.json'

interface Ports {
  readonly grpc: number
  readonly http: number
}

/** What a server process says of itself. */
interface Told {
  readonly ports?: Ports
  /** Microseconds. */
  readonly cpu?: number
}

export interface ChecksFigures {
  /** Microseconds of CPU per answer: of the bare handler, of the gateway, and their ratio, one per slice. */
  readonly grpc: readonly Pair[]
  /** The same over plain HTTP. */
  readonly http: readonly Pair[]
}

export interface Pair {
  readonly bare: number
  readonly ours: number
}

/** A server that says yes. */
async function bare(): Promise<Ports> {
  const server = new Server()
  const yes = create(CheckResponseSchema, { status: {}, httpResponse: { case: 'okResponse', value: {} } })
  server.addService(definitionOf(Authorization), {
    check: (_call: unknown, callback: (error: null, answer: CheckResponse) => void) => callback(null, yes),
  })
  const grpc = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error)))
  })
  const plain = createServer((_, response) => response.end())
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
  return { grpc, http: (plain.address() as AddressInfo).port }
}

/** A gateway whose policy lets all of it through, by the last of its rules. */
async function gateway(folder: string): Promise<Ports> {
  writeFileSync(join(folder, TOKENS_FILE), JSON.stringify(tokens()))
  const jwk = createPublicKey({ key: KEY.jwk as JsonWebKey, format: 'jwk' }).export({ format: 'jwk' })
  mkdirSync(join(folder, 'policy'))
  writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [{ ...jwk, kid: KEY.kid, alg: 'ES256', use: 'sig' }] }))
  writeFileSync(
    join(folder, 'ostiary.yaml'),
    `apiVersion: ostiary.dev/v1
issuers: { svc: { kind: jwt, issuer: svc, audiences: [api], keys: [{ file: keys.json }] } }
resources: { orders: { protocol: http, hosts: [orders.example], upstream: { url: 'http://127.0.0.1:9' } } }
doors:
  envoy:
    listen: 127.0.0.1:0
    checks: { listen: '127.0.0.1:0', http: { listen: '127.0.0.1:0' }, proxies: { load: { resources: [orders] } } }
    nodes: {}
`,
  )
  const rules = Array.from(
    { length: RULES },
    (_, i) => `  - { id: r-${i}, role: reader, resource: orders, actions: ['GET /things-${i}/{id}'] }`,
  )
  writeFileSync(
    join(folder, 'policy/p.yaml'),
    `apiVersion: ostiary.dev/v1
roles: { reader: { bind: [{ issuer: svc, claim: roles, any: [reader] }] } }
rules:
  - { id: administer, role: reader, resource: ostiary, actions: ['* /**'] }
${rules.join('\n')}
`,
  )
  const { envoys } = await startGateway({ folder, watch: false })
  return { grpc: envoys!.checks!.port, http: envoys!.httpChecks!.port }
}

function tokens(): readonly string[] {
  const iat = Math.floor(Date.now() / 1000)
  return Array.from({ length: TOKENS }, (_, i) =>
    signToken(KEY, { iss: 'svc', aud: 'api', sub: `s-${i}`, iat, exp: iat + 3_000, roles: ['reader'] }),
  )
}

const pathOf = (i: number): string => `/things-${i % RULES}/${i}`

/** As Envoy asks: the fields of a browser's request, as octets. */
function questionOf(token: string, i: number): CheckRequest {
  const fields = {
    ':method': 'GET',
    ':path': pathOf(i),
    ':authority': 'orders.example',
    ':scheme': 'http',
    authorization: `Bearer ${token}`,
    'user-agent': 'load/1.0 (X11; Linux x86_64)',
    accept: 'application/json, text/plain, */*',
    'accept-language': 'en-GB,en;q=0.9',
    'x-request-id': '3f2b7c1e-6d5a-4b8f-9a0e-1c2d3e4f5a6b',
    'x-forwarded-proto': 'http',
  }
  return create(CheckRequestSchema, {
    attributes: {
      source: { address: { address: { case: 'socketAddress', value: { address: '192.0.2.7' } } } },
      request: {
        http: {
          id: '1',
          method: 'GET',
          path: pathOf(i),
          host: 'orders.example',
          scheme: 'http',
          headerMap: { headers: Object.entries(fields).map(([key, value]) => ({ key, rawValue: Buffer.from(value) })) },
        },
      },
      contextExtensions: { resource: 'orders' },
    },
  })
}

/** Asks so often, a few at a time, and fails where an answer isn't yes. */
async function times(count: number, ask: (i: number) => Promise<boolean>): Promise<void> {
  let next = 0
  const one = async (): Promise<void> => {
    while (next < count) if (!(await ask(next++))) throw new Error('an answer that was to be yes is none')
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
}

class Measured {
  readonly #child: ChildProcess
  readonly ports: Ports

  private constructor(child: ChildProcess, ports: Ports) {
    this.#child = child
    this.ports = ports
  }

  static async start(kind: 'bare' | 'gateway', folder: string): Promise<Measured> {
    // The flags that the gateway is started with.
    const child = fork(import.meta.filename, [kind, folder], { execArgv: gatewayOptions() })
    const told = await new Promise<Told>((resolve, reject) => {
      child.once('message', (message) => resolve(message as Told))
      child.once('exit', (code) => reject(new Error(`the ${kind} ended with ${code}`)))
    })
    return new Measured(child, told.ports!)
  }

  /** Microseconds of CPU so far. */
  cpu(): Promise<number> {
    return new Promise((resolve) => {
      this.#child.once('message', (message) => resolve((message as Told).cpu!))
      this.#child.send('cpu')
    })
  }

  end(): void {
    this.#child.kill()
  }
}

export async function measureChecks(slices: number, say: (line: string) => void): Promise<ChecksFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-checks-load-'))
  const [plain, ours] = [await Measured.start('bare', folder), await Measured.start('gateway', folder)]
  const all = JSON.parse(readFileSync(join(folder, TOKENS_FILE), 'utf8')) as readonly string[]
  const { path, responseDeserialize } = definitionOf(Authorization).check
  const asked = Array.from({ length: SLICE }, (_, i) => toBinary(CheckRequestSchema, questionOf(all[i % TOKENS]!, i)))
  const overGrpc = (server: Measured): (() => Promise<number>) => {
    const client = new Client(`127.0.0.1:${server.ports.grpc}`, credentials.createInsecure())
    const ask = (i: number): Promise<boolean> =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          path,
          () => Buffer.from(asked[i]!),
          responseDeserialize,
          undefined,
          (error, answer) => (error === null ? resolve((answer as CheckResponse).status?.code === 0) : reject(error)),
        )
      })
    return () => cpuOf(server, ask)
  }
  const overHttp = (server: Measured): (() => Promise<number>) => {
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
    const ask = (i: number): Promise<boolean> =>
      new Promise((resolve, reject) => {
        const headers = {
          host: 'orders.example',
          authorization: `Bearer ${all[i % TOKENS]!}`,
          'user-agent': 'load/1.0 (X11; Linux x86_64)',
          accept: 'application/json, text/plain, */*',
          'content-length': '0',
        }
        request({ host: '127.0.0.1', port: server.ports.http, path: `/check/orders${pathOf(i)}`, headers, agent }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode === 200))
        })
          .on('error', reject)
          .end()
      })
    return () => cpuOf(server, ask)
  }
  const cpuOf = async (server: Measured, ask: (i: number) => Promise<boolean>): Promise<number> => {
    const before = await server.cpu()
    await times(SLICE, ask)
    return ((await server.cpu()) - before) / SLICE
  }
  const pairsOf = async (one: () => Promise<number>, other: () => Promise<number>): Promise<readonly Pair[]> => {
    for (let i = 0; i < 3; i++) await one().then(other)
    const pairs: Pair[] = []
    for (let i = 0; i < slices; i++) {
      const before = await one()
      const between = await other()
      pairs.push({ bare: (before + (await one())) / 2, ours: between })
    }
    return pairs
  }
  try {
    const grpc = await pairsOf(overGrpc(plain), overGrpc(ours))
    say(`over gRPC: ${grpc.map((one) => `${one.ours.toFixed(0)} (${one.bare.toFixed(0)})`).join(' ')}`)
    const http = await pairsOf(overHttp(plain), overHttp(ours))
    say(`over HTTP: ${http.map((one) => `${one.ours.toFixed(0)} (${one.bare.toFixed(0)})`).join(' ')}`)
    return { grpc, http }
  } finally {
    plain.end()
    ours.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

export function checksTable({ grpc, http }: ChecksFigures, head: string): string {
  const row = (name: string, pairs: readonly Pair[]): string => {
    const ratios = pairs.map(({ bare: alone, ours }) => ours / alone)
    const range = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
    const micros = (of: keyof Pair): string => median(pairs.map((one) => one[of])).toFixed(0)
    return `| ${name} | ${micros('bare')} | ${micros('ours')} | **${median(ratios).toFixed(2)}** (${range}) |`
  }
  return [
    head,
    '',
    '| answers | a handler that says yes, µs of CPU | the gateway, µs of CPU | × (range) |',
    '|---|---|---|---|',
    row('over gRPC, next to bare grpc-js', grpc),
    row('over HTTP, next to bare `node:http`', http),
  ].join('\n')
}

/** A server, for whoever measures it. */
if (import.meta.main) {
  const [kind, folder] = process.argv.slice(2) as [string, string]
  const ports = await (kind === 'bare' ? bare() : gateway(folder))
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send!({ cpu: user + system } satisfies Told)
  })
  process.on('disconnect', () => process.exit())
  process.send!({ ports } satisfies Told)
}
