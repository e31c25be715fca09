/** A small world that the tests of the policy share: two issuers, two resources. */
import type { Identity } from '../../core/principal.ts'
import type { Action } from '../../core/action.ts'
import type { SourceFile } from '../../config/wiring.ts'
import { loadPolicy, type KindClaims, type LoadedPolicy, type LoadPolicy } from '../index.ts'
import type { PolicyWiring } from '../world.ts'

export const NOW = Date.UTC(2026, 2, 2, 12)

export const kindClaims: KindClaims = {
  entra: {
    oid: { type: 'string', mayBeUnknown: false },
    sub: { type: 'string', mayBeUnknown: false },
    roles: { type: 'list', mayBeUnknown: false },
    groups: { type: 'list', mayBeUnknown: true },
  },
  oidc: { sub: { type: 'string', mayBeUnknown: false } },
}

const issuer = { audiences: ['api://orders'], clients: [], agents: [] }
const resource = { protocol: 'http', description: undefined, issuers: undefined, scopes: undefined, record: 'spool' as const }

export const wiring: PolicyWiring = {
  issuers: {
    entra: {
      ...issuer,
      kind: 'entra',
      claims: { level: 'number', rank: 'number', vip: 'boolean', department: 'string' },
      stepUp: {
        mfa: { claim: 'department', any: ['a'] },
        authContext: { c1: { claim: 'groups', any: ['c'] } },
        device: { managed: { claim: 'roles', any: ['b'] } },
      },
    },
    ci: {
      ...issuer,
      kind: 'oidc',
      claims: { repository: 'string', rank: 'string', groups: 'list', department: 'string' },
      stepUp: { mfa: 'never', authContext: { c1: { claim: 'repository', any: ['a', 'b'] } }, device: { managed: 'never' } },
    },
  },
  resources: {
    orders: { ...resource, labels: { tier: 'business', zone: 'a' } },
    wiki: {
      ...resource,
      labels: { tier: 'office', zone: 'a' },
      issuers: ['entra'],
      scopes: { 'Wiki.Read': ['GET /**'], 'Wiki.Write': ['* /pages/**'] },
    },
  },
}

/** The same, where each resource is only observed for a second more. */
export const OBSERVING: PolicyWiring = {
  ...wiring,
  resources: Object.fromEntries(
    Object.entries(wiring.resources).map(([name, one]) => [name, { ...one, observe: { until: new Date(NOW + 1000).toISOString() } }]),
  ),
}

/** Loads policy texts; a text without `apiVersion` gets it. */
export function load(texts: string | readonly SourceFile[], more: Partial<LoadPolicy> = {}): LoadedPolicy {
  const policy = typeof texts === 'string' ? [{ path: 'policy/p.yaml', text: `apiVersion: ostiary.dev/v1\n${texts}` }] : texts
  const sources = { wiring: { path: 'ostiary.yaml', text: '' }, environment: undefined, policy, tests: [] }
  return loadPolicy({ sources, wiring, kindClaims, mustAdminister: false, now: NOW, ...more })
}

/** An identity with what a test cares about. */
export function someone(more: Partial<Identity> = {}): Identity {
  return {
    issuer: 'entra',
    subject: 'tenant/subject',
    kind: 'human',
    claims: {},
    unknownClaims: new Set(),
    scopes: undefined,
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: undefined,
    evidence: {
      credential: 'bearer',
      issuerUrl: 'https://login.example/tenant',
      audience: 'api://orders',
      client: undefined,
      tokenId: undefined,
      keyId: undefined,
      algorithm: undefined,
      issuedAt: undefined,
      expiresAt: Number.POSITIVE_INFINITY,
      sessionId: undefined,
    },
    ...more,
  }
}

/** `GET /orders/7` as an action. */
export function act(text: string): Action {
  const cut = text.indexOf(' ')
  return { protocol: 'http', method: text.slice(0, cut), path: text.slice(cut + 1) }
}
