/** What tests of the record share: principals, decisions, a signer, a folder of its own. */
import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Wiring } from '../../config/schema.ts'
import { systemClock } from '../../core/clock.ts'
import type { Identity, Principal } from '../../core/principal.ts'
import type { DecisionEvent, Outcome, Verdict } from '../../core/record.ts'
import type { CheckpointSigner } from '../checkpoints.ts'
import { openAuditLog, type AuditLog } from '../log.ts'
import type { AuditLogOptions } from '../options.ts'

export const settings: Wiring['audit'] = {
  segmentSize: 64 * 1024 ** 2,
  keepFor: 90 * 86_400_000,
  keepAtMost: 10 * 1024 ** 3,
  queue: 16 * 1024 ** 2,
  checkpointEvery: 1000,
  anchors: [],
}

/** A folder that goes away with `using`. */
export function temporary(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ostiary-audit-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export interface TestSigner extends CheckpointSigner {
  readonly jwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string; readonly kid: string }
}

export function testSigner(kid = 'k1'): TestSigner {
  return signerOf(generateKeyPairSync('ed25519').privateKey, kid)
}

export function signerOf(privateKey: KeyObject, kid = 'k1'): TestSigner {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  return { kid, sign: (bytes) => sign(null, bytes, privateKey), jwk: { kty: 'OKP', crv: 'Ed25519', x: x!, kid } }
}

export function identityOf(more: Partial<Identity> = {}): Identity {
  return {
    issuer: 'entra',
    subject: 'tid/oid',
    kind: 'human',
    claims: { roles: ['Orders.Read'] },
    unknownClaims: new Set(),
    scopes: undefined,
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: 'reader',
    evidence: {
      credential: 'bearer',
      issuerUrl: 'https://issuer.example/v2.0',
      audience: 'api',
      client: 'client',
      tokenId: 'uti',
      keyId: 'key',
      algorithm: 'RS256',
      issuedAt: 1_700_000_000_000,
      expiresAt: 1_700_003_600_000,
      sessionId: undefined,
    },
    ...more,
  }
}

export function principalOf(identity: Identity | undefined = identityOf(), more: Partial<Principal> = {}): Principal {
  return {
    issuer: identity?.issuer ?? '',
    subject: identity?.subject ?? '',
    kind: identity?.kind ?? 'anonymous',
    claims: identity?.claims ?? {},
    roles: ['authenticated', 'everyone', 'reader'],
    unknownRoles: [],
    provenance: [{ role: 'reader', state: 'held', claim: 'roles', value: 'Orders.Read' }],
    actor: identity?.actor === undefined ? undefined : principalOf(identity.actor),
    identity,
    policyVersion: 'sha256:1',
    ...more,
  }
}

export const allowed: Verdict = {
  kind: 'allowed',
  decision: {
    effect: 'allow',
    rule: 'read-orders',
    rules: ['read-orders'],
    reasons: [{ code: 'granted', id: 'read-orders' }],
    obligations: [],
    policyVersion: 'sha256:1',
  },
}

export const done: Outcome = { result: 'completed', status: 200, bytesIn: 0, bytesOut: 12, duration: 1.5 }

const reader = principalOf()

export function decisionOf(id: string, more: Partial<DecisionEvent> = {}): DecisionEvent {
  return {
    id,
    time: Date.UTC(2026, 0, 1),
    door: 'http',
    resource: 'orders',
    action: { protocol: 'http', method: 'GET', path: '/orders/7' },
    principal: reader,
    ip: '127.0.0.1',
    trace: undefined,
    policyVersion: 'sha256:1',
    verdict: allowed,
    ...more,
  }
}

/** Opens a record with short ways; the system's clock unless given. */
export function openTestLog(dir: string, signer: CheckpointSigner, more: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  return openAuditLog({ dir, clock: systemClock, signer, options: settings, reserve: 0, ...more })
}

/** All lines of a record, in order. */
export function linesOf(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted()
    .flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1))
}

/** All records in order; what isn't JSON is left out. */
export function recordsOf(dir: string): Record<string, unknown>[] {
  return linesOf(dir).flatMap((line) => {
    try {
      return [JSON.parse(line) as Record<string, unknown>]
    } catch {
      return []
    }
  })
}
