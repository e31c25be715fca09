/** An identity as the gateway has it, its issuers on loopback, and credentials in numbers. */
import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Wiring } from '../../../src/config/schema.ts'
import { systemClock, systemEntropy } from '../../../src/core/clock.ts'
import type { AuthResult, Credential, Presentation, PresentedCertificate } from '../../../src/core/credential.ts'
import { noMeter } from '../../../src/core/meter.ts'
import { Secret } from '../../../src/core/secret.ts'
import { createIdentity, issuerKinds, type Identities } from '../../../src/identity/index.ts'
import { memoryStore } from '../../../src/store/memory.ts'
import { certifiedBy, testAuthority } from '../../../src/testing/pki.ts'
import {
  API,
  base64url,
  entraClaims,
  keyFixture,
  rfc9068Claims,
  signToken,
  TENANT,
  testKey,
  type Algorithm,
  type JsonObject,
  type TestKey,
} from '../../../src/testing/tokens.ts'

export const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const satisfies readonly Algorithm[]
const AUDIENCE = 'https://orders.example'
export const URL_ = 'https://orders.example/orders/7'
/** What is signed once per algorithm and then shown in turn. */
const MADE = 1_600
/** Tokens known at most where all are to be new: fewer than there are, so that each is forgotten before it comes back. */
export const FORGETFUL = 1_000

/** A caller's text, made anew from its octets as a socket delivers them: no engine has hashed or compared it before. */
export type Octets = Buffer
export const text = (octets: Octets): string => octets.toString('latin1')

export interface World {
  readonly identities: Identities
  readonly keys: Readonly<Record<Algorithm, TestKey>>
  /** `MADE` tokens of an algorithm: Entra's for RS256, those of RFC 9068 otherwise. */
  readonly tokens: (algorithm: Algorithm) => readonly Octets[]
  readonly boundToken: Octets
  /** A proof for `boundToken` at `URL_`, never used before. */
  readonly proof: () => Octets
  readonly proofKey: KeyObject
  readonly certificate: PresentedCertificate
  readonly ask: (credential: Credential, certificate?: PresentedCertificate) => AuthResult | Promise<AuthResult>
  close(): Promise<void>
}

/** Opens everything and waits until the issuers have their keys. @param entries Tokens known at most; default: the gateway's own. */
export async function openWorld(entries?: number): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-load-'))
  const keys = Object.fromEntries(ALGORITHMS.map((name) => [name, testKey(name, name)])) as unknown as Record<Algorithm, TestKey>
  const fixture = await keyFixture(Object.values(keys))
  const authority = await testAuthority('load')
  writeFileSync(join(folder, 'ca.pem'), authority.cert)
  const leaf = await certifiedBy(authority, { names: [{ type: 'dns', value: 'orders.example' }] })
  const identities = createIdentity({
    wiring: {
      issuers: {
        entra: configured({ kind: 'entra', authority: fixture.origin, tenants: [TENANT], audiences: [API] }),
        oidc: configured({ kind: 'oidc', issuer: fixture.origin, audiences: [AUDIENCE] }),
        mtls: configured({ kind: 'mtls', ca: 'ca.pem', subject: 'dns' }),
      },
      outbound: {},
      sessions: { idle: 3_600_000, absolute: 43_200_000, maximum: 10_000 },
    },
    deps: {
      clock: systemClock,
      entropy: systemEntropy,
      meter: noMeter,
      dataDir: folder,
      folder,
      log: () => undefined,
      store: memoryStore(),
      fetch,
    },
    limits: entries === undefined ? {} : { entries },
  })
  const at: Presentation = { source: '192.0.2.1', time: 0, resource: 'orders' }
  const ask: World['ask'] = (credential, certificate) =>
    identities.authenticator.authenticate(credential, certificate === undefined ? at : { ...at, certificate })

  const made = new Map<Algorithm, readonly Octets[]>()
  const tokens = (algorithm: Algorithm): readonly Octets[] => {
    const known = made.get(algorithm) ?? Array.from({ length: MADE }, (_, n) => tokenOf(keys[algorithm], fixture.origin, n))
    made.set(algorithm, known)
    return known
  }
  const proofPair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicJwk(proofPair.publicKey)
  const confirmation = { cnf: { jkt: sha256(JSON.stringify(jwk)) } }
  const bound = signToken(keys.ES256, claims(fixture.origin, 0, confirmation), { typ: 'at+jwt' })
  let proofs = 0
  // One first, and not all: signing so many takes longer than a provider may take to answer.
  for (const algorithm of ALGORITHMS) await ask({ kind: 'bearer', token: new Secret(text(tokenOf(keys[algorithm], fixture.origin, 0))) })
  return {
    identities,
    keys,
    tokens,
    boundToken: Buffer.from(bound, 'latin1'),
    proofKey: proofPair.publicKey,
    proof() {
      const head = base64url(JSON.stringify({ typ: 'dpop+jwt', alg: 'ES256', jwk }))
      const iat = Math.floor(Date.now() / 1000)
      const body = base64url(JSON.stringify({ jti: `proof-${proofs++}`, htm: 'GET', htu: URL_, iat, ath: sha256(bound) }))
      const signature = sign('sha256', Buffer.from(`${head}.${body}`), { key: proofPair.privateKey, dsaEncoding: 'ieee-p1363' })
      return Buffer.from(`${head}.${body}.${base64url(signature)}`, 'latin1')
    },
    certificate: { thumbprint: leaf.thumbprint, trusted: true, chain: [leaf.der, authority.der] },
    ask,
    async close() {
      await identities.close()
      await fixture.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function configured(config: { readonly kind: string } & Record<string, unknown>): Wiring['issuers'][string] {
  return issuerKinds[config.kind]!.schema.parse(config) as Wiring['issuers'][string]
}

function tokenOf(key: TestKey, origin: string, n: number): Octets {
  const entra = key.algorithm === 'RS256'
  const more = entra
    ? { oid: randomUUID(), sub: base64url(`subject-${n}-of-the-load`), uti: base64url(`uti-${n}`), groups: [randomUUID()] }
    : { jti: randomUUID() }
  const token = entra
    ? signToken(key, entraClaims.v2User(origin, Date.now(), more))
    : signToken(key, claims(origin, n, more), { typ: 'at+jwt' })
  return Buffer.from(token, 'latin1')
}

const claims = (origin: string, n: number, more: JsonObject): JsonObject =>
  rfc9068Claims(origin, AUDIENCE, Date.now(), { sub: `subject-${n}-of-the-load`, roles: ['Orders.Read'], groups: [randomUUID()], ...more })

const sha256 = (input: string): string => createHash('sha256').update(input).digest('base64url')

function publicJwk(key: KeyObject): JsonObject {
  const { crv, kty, x, y } = key.export({ format: 'jwk' }) as Readonly<Record<'crv' | 'kty' | 'x' | 'y', string>>
  return { crv, kty, x, y }
}
