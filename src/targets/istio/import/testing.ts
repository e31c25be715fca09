/** What tests of the import share: the engine of what was imported, asked about the tokens that Istio verifies. */
import { parse } from 'yaml'
import type { SourceFile } from '../../../config/wiring.ts'
import type { Identity } from '../../../core/principal.ts'
import { declaredClaims } from '../../../identity/claims.ts'
import { jwtProfile } from '../../../identity/jwt/profile.ts'
import { accessIdentity } from '../../../identity/oidc/access.ts'
import { oidcClaims } from '../../../identity/oidc/claims.ts'
import { plainJwt } from '../../../identity/oidc/profile.ts'
import { Refusal } from '../../../identity/jose/refusal.ts'
import type { JsonObject } from '../../../identity/jose/json.ts'
import { spiffeClaims } from '../../../identity/spiffe/index.ts'
import type { CompiledPolicy } from '../../../policy/index.ts'
import { normalPath } from '../../../policy/actions/http/template.ts'
import { loadPolicy } from '../../../policy/index.ts'
import { NOW, someone } from '../../../policy/testdata/world.ts'
import type { PolicyWiring } from '../../../policy/world.ts'
import type { Imported } from './index.ts'

type IssuerText = PolicyWiring['issuers'][string] & { readonly issuer: string; readonly trustDomain?: string }

export interface Engine {
  readonly policy: CompiledPolicy
  /** What it lets in at one of its resources. */
  allows(resource: string, call: EngineCall): boolean
}

export interface EngineCall {
  readonly method: string
  /** As sent, with the query. */
  readonly path: string
  readonly ip: string
  /** Payload of a token that was verified. */
  readonly payload: Readonly<Record<string, unknown>> | undefined
  /** SPIFFE ID of the other end. */
  readonly peer?: string | undefined
}

function fileOf({ files }: Imported, path: string): SourceFile {
  return { path, text: files.find((one) => one.path === path)!.text }
}

/** @throws Error for what would not be loaded */
export function engineOf(imported: Imported): Engine {
  const wiring = fileOf(imported, 'ostiary.yaml')
  const { issuers = {}, resources = {} } = parse(wiring.text) as {
    readonly issuers?: Readonly<Record<string, IssuerText>>
    readonly resources?: PolicyWiring['resources']
  }
  const blank = { clients: [], agents: [], claims: {}, audiences: [], stepUp: 'never' as const }
  const believed = Object.fromEntries(Object.entries(issuers).map(([name, one]) => [name, { ...blank, ...one }]))
  const plain = { description: undefined, labels: {}, issuers: undefined, scopes: undefined, record: 'spool' as const }
  const { policy, diagnostics } = loadPolicy({
    sources: { wiring, environment: undefined, policy: [fileOf(imported, 'policy/imported.yaml')], tests: [] },
    wiring: {
      issuers: { ...believed, ostiary: { ...blank, kind: 'gateway' } },
      resources: Object.fromEntries(Object.entries(resources).map(([name, one]) => [name, { ...plain, ...one }])),
    },
    kindClaims: { oidc: oidcClaims, jwt: oidcClaims, spiffe: spiffeClaims, gateway: { via: { type: 'string', mayBeUnknown: false } } },
    mustAdminister: true,
    now: NOW,
  })
  if (policy === undefined) throw new Error(`${JSON.stringify(diagnostics)}\n${fileOf(imported, 'policy/imported.yaml').text}`)
  return {
    policy,
    allows: (resource, { method, path: sent, ip, payload, peer }) => {
      const path = sent.replace(/\?.*$/s, '')
      if (!isCanonical(path)) return false
      const identity = payload === undefined ? undefined : identityOf(payload, believed)
      if (identity === null) return false
      const accepted = resources[resource]?.issuers
      if (identity !== undefined && accepted !== undefined && !accepted.includes(identity.issuer)) return false
      const caller = identity === undefined ? policy.anonymous : policy.bind(identity)
      const [mesh] = Object.entries(believed).filter(([, one]) => one.kind === 'spiffe')
      const other = mesh === undefined || peer === undefined ? undefined : policy.bind(peerOf(mesh[0], peer))
      return policy.decide(caller, { protocol: 'http', method, path }, resource, { time: NOW, ip, peer: other }).effect === 'allow'
    },
  }
}

/** What a door of Ostiary doesn't refuse before anything is decided. */
function isCanonical(path: string): boolean {
  if (normalPath(path) === undefined || !/^[!-~]+$/.test(path)) return false
  return !/%(?![0-9A-Fa-f]{2})|%(?:2[fFdDeE]|5[cCfF]|7[eE]|[01]|3[0-9]|4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])/.test(path)
}

/** Null for a token that is refused. */
function identityOf(payload: Readonly<Record<string, unknown>>, issuers: Readonly<Record<string, IssuerText>>): Identity | null {
  const found = Object.entries(issuers).find(([, { issuer }]) => issuer === payload['iss'])
  if (found === undefined) return null
  const [name, { kind, issuer, audiences, claims }] = found
  const declared = declaredClaims(oidcClaims, claims)
  const profile = kind === 'jwt' ? jwtProfile({ type: undefined, clientClaim: undefined, principal: 'human' }) : plainJwt
  const judge = { name, issuer, audiences: new Set(audiences), clients: new Set<string>(), agents: new Set<string>(), declared, profile }
  try {
    return accessIdentity(judge, Object.assign(Object.create(null) as JsonObject, payload), {
      issuedAt: NOW,
      expiresAt: NOW + 60_000,
      header: { alg: 'ES256', kid: 'k' } as never,
    })
  } catch (error) {
    if (error instanceof Refusal) return null
    throw error
  }
}

function peerOf(issuer: string, id: string): Identity {
  const path = id.replace(/^spiffe:\/\/[^/]+/, '')
  return someone({ issuer, subject: id, kind: 'workload', claims: { sub: id, path } })
}
