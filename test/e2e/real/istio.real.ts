/**
 * A real Envoy with what Istio's control plane would make of Istio's resources, against the evaluator of that translation: the same
 * requests, the same answers. Not part of `npm test`: it needs the binary, which `src/testing/envoybinary.ts` finds or downloads.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { RE2JS } from 're2js'
import type { Regexes } from '../../../src/envoy/evaluate.ts'
import {
  evaluateIstio,
  evaluateIstioTcp,
  triedByIstio,
  type IstioRequest,
  type IstioVerdict,
} from '../../../src/targets/istio/translate/evaluate.ts'
import { DEFAULT_MESH, type Mesh, type Workload } from '../../../src/targets/istio/translate/mesh.ts'
import { readPath } from '../../../src/targets/istio/translate/paths.ts'
import { istioOf, parseIstio } from '../../../src/targets/istio/translate/read.ts'
import { DETAILS, staticEnvoy, TRIED, type StaticWorld } from '../../../src/targets/istio/translate/static.ts'
import { translateIstio, type Translated } from '../../../src/targets/istio/translate/translate.ts'
import type { ShownToken } from '../../../src/targets/istio/translate/tokens.ts'
import { RealEnvoy } from '../../../src/testing/envoy.ts'
import { certifiedBy, testAuthority, type Pair } from '../../../src/testing/pki.ts'
import { base64url, signToken, testKey, type JsonObject, type TestKey } from '../../../src/testing/tokens.ts'
import { freePorts } from '../../../src/testing/ports.ts'
import { randomDocuments } from './istiorandom.ts'
import { MORE, PEERS, requests, SERVICES, WORLDS, type RandomRequest, type ShownInWorld } from './istioworld.ts'

const REQUESTS_A_WORLD = 300
const RANDOM_WORLDS = 60
const REQUESTS_A_RANDOM_WORLD = 60
/** Fields of which a request may have several lines. */
const MANY = new Set(['x-kind', 'x-department', 'x-level', 'authorization', 'user-agent'])
const people = testKey('people', 'ES256')
const services = testKey('services', 'ES256')
const KEYS = new Map([
  ['https://people.example/keys', JSON.stringify({ keys: [people.jwk] })],
  ['https://services.example/keys', JSON.stringify({ keys: [services.jwk] })],
])
const AUTHZ = 'outbound|9000||authz.shop.svc'
const PROVIDERS: Mesh['extensionProviders'] = [
  { name: 'authz', envoyExtAuthzHttp: { service: 'authz.shop.svc', port: 9000, includeRequestHeadersInCheck: ['x-kind'] } },
]
function isGranted(kinds: readonly string[] = []): boolean {
  return kinds.join() === 'a'
}
const patterns = new Map<string, RE2JS>()
function compiled(pattern: string): RE2JS {
  const known = patterns.get(pattern) ?? RE2JS.compile(pattern)
  patterns.set(pattern, known)
  return known
}
const regexes: Regexes = {
  wholly: (pattern, text) => compiled(pattern).matches(text),
  anywhere: (pattern, text) => compiled(pattern).matcher(text).find(),
}

interface Answer {
  readonly status: number
  readonly details: string
  /** What policies that are only tried would have done, by the key of Envoy's. */
  readonly tried: Readonly<Record<string, string>>
}

/** One raw exchange: what Envoy answers to just these bytes. */
function exchange(socket: Socket, bytes: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let said = ''
    socket.setEncoding('latin1')
    socket.setTimeout(10_000, () => void socket.destroy(new Error(`no answer to ${bytes}`)))
    socket.on('data', (chunk: string) => {
      said += chunk
      if (said.includes('\r\n\r\n')) socket.destroy()
    })
    socket.on('error', (error) => (said === '' ? reject(error) : undefined))
    socket.on('close', () => {
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(said)?.[1] ?? 0)
      const field = (name: string): string => new RegExp(`^${name}: (.*)\r$`, 'm').exec(said)?.[1] ?? ''
      const tried = Object.entries(TRIED).map(([name, key]) => [key, field(name)] as const)
      resolve({ status, details: field(DETAILS), tried: Object.fromEntries(tried.filter(([, text]) => text !== '' && text !== '-')) })
    })
    socket.write(bytes, 'latin1')
  })
}

describe('a real Envoy with translated resources of Istio', () => {
  let folder: string
  let upstream: Server
  let asked: Server
  let envoy: RealEnvoy | undefined
  let authority: Pair
  const certificates = new Map<string, Pair>()
  const worlds: { readonly world: StaticWorld; readonly translated: Translated }[] = []
  const seen = new Map<string, string>()

  const seed = Number(process.env['OSTIARY_SEED'] ?? Date.now() % 1_000_000)

  before(async () => {
    process.stderr.write(`seed ${seed}\n`)
    folder = mkdtempSync(join(tmpdir(), 'ostiary-istio-'))
    upstream = createServer((request, response) => {
      seen.set(String(request.headers['x-test']), request.url!)
      response.end('ok')
    })
    // Else a connection that Envoy keeps may end just as it is used again.
    upstream.keepAliveTimeout = 120_000
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const ports = [...(await freePorts(2 * (WORLDS.length + MORE.length + RANDOM_WORLDS)))]
    asked = createServer((request, response) => response.writeHead(isGranted(request.headersDistinct['x-kind']) ? 200 : 403).end())
    asked.keepAliveTimeout = 120_000
    await new Promise<void>((resolve) => asked.listen(0, '127.0.0.1', resolve))
    authority = await testAuthority('mesh')
    for (const peer of PEERS)
      if (peer !== undefined) certificates.set(peer, await certifiedBy(authority, { names: [{ type: 'url', value: peer }] }))
    const server = await certifiedBy(authority, { names: [{ type: 'dns', value: 'orders.example' }], usages: ['1.3.6.1.5.5.7.3.1'] })
    const { port: to } = upstream.address() as AddressInfo
    for (const { name, resources, normalization = 'DEFAULT', workload = {}, isTls, isAsking } of [...WORLDS, ...MORE])
      for (const chain of isTls && workload.kind === undefined ? (['http', 'tcp'] as const) : (['http'] as const)) {
        const port = ports.pop()!
        const mesh: Mesh = {
          ...DEFAULT_MESH,
          trustDomain: 'td.new',
          trustDomainAliases: ['old.local'],
          pathNormalization: normalization,
          extensionProviders: PROVIDERS,
        }
        const own: Workload = { kind: 'sidecar', namespace: 'shop', labels: { app: 'orders' }, ...workload }
        const input = { resources: parseIstio(name, resources.replaceAll('PORT', String(port))), mesh, workload: own, keys: KEYS }
        const tls = isTls ? { tls: { cert: server.cert, key: server.key, authority: authority.cert } } : {}
        worlds.push({
          world: {
            ...input,
            name: `${name}-${chain}`,
            chain,
            port,
            upstream: to,
            ...tls,
            ...(isAsking ? { asked: new Map([[AUTHZ, (asked.address() as AddressInfo).port]]) } : {}),
          },
          translated: translateIstio(input),
        })
      }
    for (const [index, documents] of fc.sample(randomDocuments, { numRuns: RANDOM_WORLDS, seed }).entries())
      for (const chain of ['http', 'tcp'] as const) {
        const port = ports.pop()!
        const resources = istioOf(JSON.parse(JSON.stringify(documents).replaceAll('"PORT"', `"${port}"`)) as readonly unknown[])
        const mesh: Mesh = { ...DEFAULT_MESH, trustDomain: 'td.new', trustDomainAliases: ['old.local'] }
        const input = { resources, mesh, workload: { kind: 'sidecar', namespace: 'shop', labels: {} } as const, keys: KEYS }
        const tls = { cert: server.cert, key: server.key, authority: authority.cert }
        const world = { ...input, name: `random-${index}-${chain}`, chain, port, upstream: to, tls }
        worlds.push({ world, translated: translateIstio(input) })
      }
    envoy = await RealEnvoy.start(folder, staticEnvoy(worlds.map(({ world }) => world)))
    await envoy.port(worlds.at(-1)!.world.name)
  })
  after(async () => {
    await envoy?.stop()
    for (const server of [upstream, asked]) {
      server.close()
      server.closeAllConnections()
    }
    rmSync(folder, { recursive: true, force: true })
  })

  test('answers as the evaluator says, by the same policy', async () => {
    const told: Record<string, number> = {}
    const differences: string[] = []
    const policies = new Set<string>()
    let number = 0
    const http = worlds.filter(({ world }) => world.chain === 'http')
    const one = async (random: RandomRequest, { world, translated }: (typeof worlds)[number]): Promise<void> => {
      const now = Date.now()
      const id = String(++number)
      const { bytes, request } = written(random, world, now, id)
      const socket = open(random, world)
      const answer = await exchange(socket, bytes)
      const arrived = seen.get(id)
      let verdict: IstioVerdict
      try {
        verdict = evaluateIstio(translated, request, regexes)
      } catch (error) {
        // What Envoy leaves to the order of a hash map isn't compared; that there is little of it is.
        assert.match(String(error), /which of two providers of one issuer is taken is not known/)
        told['unknown'] = (told['unknown'] ?? 0) + 1
        return
      }
      const context = (): string => JSON.stringify({ world: world.name, random, answer, verdict, arrived })
      assert.equal(answer.status === 200, arrived !== undefined, context())
      const read = readPath(request.path, translated.connection)
      const policy = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(answer.details)?.[1]
      const tried = verdict.allowed ? triedByIstio(translated, request, regexes) : {}
      for (const [key, result] of Object.entries(tried))
        if (key.endsWith('_result')) told[`tried ${result}`] = (told[`tried ${result}`] ?? 0) + 1
      const isSame =
        (!verdict.allowed || isDeepStrictEqual(answer.tried, tried)) &&
        answer.status === verdict.status &&
        (verdict.filter !== 'rbac' || policy === (verdict.policy ?? 'none')) &&
        (arrived === undefined || !('path' in read) || arrived.replace(/\?.*$/s, '') === read.path.replace(/\?.*$/s, ''))
      if (!isSame) differences.push(context())
      if (verdict.policy !== undefined) policies.add(verdict.policy)
      const kind = verdict.allowed ? 'allowed' : `${verdict.filter} ${verdict.status}`
      told[kind] = (told[kind] ?? 0) + 1
    }
    for (const each of http) {
      const numRuns = each.world.name.startsWith('random-') ? REQUESTS_A_RANDOM_WORLD : REQUESTS_A_WORLD
      const all = fc.sample(requests, { numRuns, seed: seed + worlds.indexOf(each) })
      for (let at = 0; at < all.length; at += 16) await Promise.all(all.slice(at, at + 16).map((random) => one(random, each)))
    }
    process.stderr.write(
      `${number} requests of ${http.length} workloads, ${policies.size} rules met: ${JSON.stringify(told)}, ${differences.length} differences\n`,
    )
    assert.deepEqual(differences.slice(0, 5), [])
    assert.ok(
      told['allowed']! > 500 && told['jwt_authn 401']! > 300 && told['jwt_authn 403']! > 20 && told['rbac 403']! > 500,
      JSON.stringify(told),
    )
    assert.ok(told['tried allowed']! > 50 && told['tried denied']! > 50, JSON.stringify(told))
    assert.ok(policies.size > 15 && (told['unknown'] ?? 0) < 50)
  })

  test('lets connections in as the evaluator says', async () => {
    const told = { allowed: 0, denied: 0 }
    for (const { world, translated } of worlds.filter(({ world: each }) => each.chain === 'tcp'))
      for (const peer of PEERS) {
        const serverName = told.allowed % 2 === 0 ? 'orders.example' : 'a.special.example'
        const { status } = await exchange(openTls(peer, serverName, world), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        const connection = { ...(peer && { peer }), serverName, port: world.port, source: '127.0.0.1', destination: '127.0.0.1' }
        const verdict = evaluateIstioTcp(translated, connection, regexes)
        assert.equal(status === 200, verdict.allowed, JSON.stringify({ world: world.name, peer, serverName, status, verdict }))
        told[verdict.allowed ? 'allowed' : 'denied']++
      }
    process.stderr.write(`connections: ${JSON.stringify(told)}\n`)
    assert.ok(told.allowed > 20 && told.denied > 20)
  })

  function openTls(peer: string | undefined, servername: string, { port }: StaticWorld): Socket {
    const own = peer === undefined ? {} : { cert: certificates.get(peer)!.cert, key: certificates.get(peer)!.key }
    return connectTls({ host: '127.0.0.1', port, servername, rejectUnauthorized: false, ...own })
  }

  function open({ peer, serverName }: RandomRequest, world: StaticWorld): Socket {
    return world.tls === undefined ? connect(world.port, '127.0.0.1') : openTls(peer, serverName, world)
  }
})

/** The bytes of a request, and what the evaluator is told of it. */
function written(
  { method, path, host, fields, isPreflight, tokens, peer, serverName }: RandomRequest,
  world: StaticWorld,
  now: number,
  id: string,
): { readonly bytes: string; readonly request: IstioRequest } {
  const texts = tokens.map((token) => textOf(token, Math.floor(now / 1000)))
  const lines = [
    ...fields,
    ...(isPreflight
      ? [
          ['origin', 'https://b.example'],
          ['access-control-request-method', 'PUT'],
        ]
      : []),
  ] as [string, string][]
  const occupied = new Set(tokens.flatMap(({ at }) => (at.kind === 'header' ? [at.name] : [])))
  const own = lines.filter(
    ([name], index) => !occupied.has(name) && (MANY.has(name) || lines.findLastIndex(([other]) => other === name) === index),
  )
  let target = Buffer.from(path).toString('latin1')
  const shown = [...own]
  for (const [index, { at }] of tokens.entries()) {
    const { text } = texts[index]!
    if (at.kind === 'header') shown.push([at.name, `${at.prefix}${text}`])
    else if (at.kind === 'cookie') shown.push(['cookie', `${at.name}=${text}`])
    else target = target.replace(/(#.*)?$/s, `${target.includes('?') ? '&' : '?'}${at.name}=${text}$1`)
  }
  const bytes = [
    `${isPreflight ? 'OPTIONS' : method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    `x-test: ${id}`,
    'Content-Length: 0',
    'Connection: close',
    ...shown.map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ].join('\r\n')
  const isTls = world.tls !== undefined
  const request: IstioRequest = {
    method: isPreflight ? 'OPTIONS' : method,
    path: target,
    host,
    headers: Object.fromEntries(own.map(([name]) => [name, own.filter(([other]) => other === name).map(([, value]) => value)])),
    tokens: tokens.map(({ at }, index) => ({ at, ...texts[index]!.shown })),
    ...(isTls && peer !== undefined ? { peer } : {}),
    ...(isTls ? { serverName } : {}),
    port: world.port,
    source: '127.0.0.1',
    destination: '127.0.0.1',
    remote: remoteOf(own, world),
    asks: () => isGranted(own.filter(([name]) => name === 'x-kind').map(([, value]) => value)),
    time: now,
  }
  return { bytes, request }
}

/** A sidecar believes what it is told of the client, a gateway doesn't. */
function remoteOf(fields: readonly (readonly [string, string])[], { workload }: StaticWorld): string {
  const told = fields.find(([name]) => name === 'x-forwarded-for')?.[1]
  return workload.kind !== 'gateway' && told !== undefined ? told : '127.0.0.1'
}

function textOf({ claims, how }: ShownInWorld, now: number): { readonly text: string; readonly shown: ShownToken } {
  const payload = Object.fromEntries(
    Object.entries(claims).map(([name, value]) => {
      const isTime = (name === 'exp' || name === 'nbf') && typeof value === 'string' && /^[-+]\d+$/.test(value)
      return [name, isTime ? now + Number(value) : value]
    }),
  ) as JsonObject
  const key: TestKey = payload['iss'] === SERVICES ? services : people
  if (how === 'malformed') return { text: `${base64url('{"alg":"ES256"')}.x.y`, shown: { payload, isMalformed: true } }
  const signer = how === 'stranger' ? testKey(key.kid, 'ES256') : how === 'alien' ? testKey('alien', 'ES256') : key
  const isSignedBy = (jwks: string): boolean => how === 'good' && (JSON.parse(jwks) as { keys: { kid: string }[] }).keys[0]!.kid === key.kid
  return { text: signToken(signer, payload), shown: { payload, isSignedBy } }
}
