/** The gateway under test: started whole, from a configuration folder made for the corpus, on ports that are free. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { startGateway } from '../../../src/server/start.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type JsonObject } from '../../../src/testing/tokens.ts'
import { makeCertificates } from './certificates.ts'
import type { Recorder } from './recorder.ts'

export type Role = 'reader' | 'admin'

export interface UnderTest {
  readonly port: number
  readonly tlsPort: number
  /** Certificate of the authority that signed the gateway's own, PEM. */
  readonly ca: string
  /** A valid token of a caller who may do what the role says, and no more. */
  tokenFor(role: Role): string
  /** A valid token with claims of its own. */
  tokenWith(claims: JsonObject): string
  /** How often the provider was asked for tokens. */
  tokenRequests(): number
  close(): Promise<void>
}

const AUDIENCE = 'orders-api'
const GROUPS: Readonly<Record<Role, string>> = { reader: 'readers', admin: 'admins' }

function wiring(recorder: Recorder, issuer: string): unknown {
  const upstream = { url: `http://127.0.0.1:${recorder.port}` }
  return {
    apiVersion: 'ostiary.dev/v1',
    issuers: {
      company: {
        kind: 'oidc',
        issuer,
        audiences: [AUDIENCE],
        claims: { groups: 'list', name: 'string' },
        signIn: { clientId: 'corpus' },
      },
    },
    resources: {
      orders: {
        protocol: 'http',
        hosts: ['orders.localhost'],
        upstream,
        signIn: 'company',
        routes: [{ path: '/orders/strict/**', record: 'strict' }],
      },
      billing: { protocol: 'http', hosts: ['billing.localhost'], upstream },
      chat: { protocol: 'http', hosts: ['chat.localhost'], upstream, websocket: true },
    },
    doors: {
      http: { listen: [{ address: '127.0.0.1:0' }, { address: '127.0.0.1:0', tls: { cert: 'gateway.pem', key: 'gateway.key' } }] },
    },
    admin: { listen: '127.0.0.1:0' },
  }
}

/** Readers may do almost anything below `/orders`, so that whatever slips into it unrefused reaches the upstream. */
const policy = {
  apiVersion: 'ostiary.dev/v1',
  roles: Object.fromEntries(
    Object.entries(GROUPS).map(([role, group]) => [role, { bind: [{ issuer: 'company', claim: 'groups', any: [group] }] }]),
  ),
  rules: [
    { id: 'public', role: 'everyone', resource: 'orders', actions: ['GET /public/**', 'POST /public/**'] },
    {
      id: 'read',
      role: ['reader', 'admin'],
      resource: 'orders',
      actions: ['GET /', 'GET /orders', 'GET /orders/**', 'POST /orders/**', 'PUT /orders/**'],
    },
    { id: 'chat', role: 'reader', resource: 'chat', actions: ['GET /orders/**'] },
    { id: 'administer', role: 'admin', resource: ['orders', 'billing'], actions: ['* /admin/**', '* /orders/**'] },
    { id: 'operate', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
  ],
}

/** Starts a gateway in front of the recorder. */
export async function startUnderTest(recorder: Recorder): Promise<UnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-corpus-'))
  const key = testKey('corpus-1')
  const keys = await keyFixture([key])
  const { ca, certificate, privateKey } = await makeCertificates(['*.localhost', 'orders.localhost', 'billing.localhost', 'chat.localhost'])
  mkdirSync(join(folder, 'policy'))
  writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring(recorder, keys.origin), { aliasDuplicateObjects: false }))
  writeFileSync(join(folder, 'policy/corpus.yaml'), stringify(policy, { aliasDuplicateObjects: false }))
  writeFileSync(join(folder, 'gateway.pem'), certificate)
  writeFileSync(join(folder, 'gateway.key'), privateKey, { mode: 0o600 })
  const clean = async (): Promise<void> => {
    await keys.close()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const gateway = await startGateway({ folder, watch: false })
    const [plain, tls] = gateway.doors
    const tokenWith = (claims: JsonObject): string =>
      signToken(key, rfc9068Claims(keys.origin, AUDIENCE, Date.now(), claims), { typ: 'at+jwt' })
    const tokens = {
      reader: tokenWith({ sub: 'reader-1', groups: [GROUPS.reader] }),
      admin: tokenWith({ sub: 'admin-1', groups: [GROUPS.admin] }),
    }
    return {
      port: plain!.port,
      tlsPort: tls!.port,
      ca,
      tokenFor: (role) => tokens[role],
      tokenWith,
      tokenRequests: () => keys.hits.get('/token') ?? 0,
      async close() {
        await gateway.stop(0)
        await clean()
      },
    }
  } catch (error) {
    await clean()
    throw error
  }
}
