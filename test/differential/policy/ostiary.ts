/** Ostiary itself, from the text of policy files on. */
import type { Sources } from '../../../src/config/wiring.ts'
import type { Identity, Principal } from '../../../src/core/principal.ts'
import type { CompiledPolicy, KindClaims, LoadPolicy } from '../../../src/policy/index.ts'
import { loadPolicy } from '../../../src/policy/index.ts'
import type { PolicyWiring } from '../../../src/policy/world.ts'
import type { Ask, CommonPolicy, Engine, Party, Statement } from './subset.ts'

/** So many statements or roles in a file: large policies are many files. */
const PER_FILE = 1_000
const TIME = Date.UTC(2026, 2, 2, 12)
const CONTEXT = { time: TIME, ip: '192.0.2.1' }
export const kindClaims: KindClaims = { oidc: { roles: { type: 'list', mayBeUnknown: false } } }

export function wiringOf({ resources, claims }: CommonPolicy): PolicyWiring {
  return {
    issuers: {
      idp: {
        kind: 'oidc',
        audiences: ['api'],
        clients: [],
        agents: [],
        claims: Object.fromEntries(claims.map((claim) => [claim, 'string' as const])),
        stepUp: 'never',
      },
    },
    resources: Object.fromEntries(
      resources.map((name) => [
        name,
        { protocol: 'http', description: undefined, labels: {}, scopes: undefined, record: 'spool' as const },
      ]),
    ),
  }
}

function statementOf({ id, role, resource, method, template, claim }: Statement, kind: 'rule' | 'guardrail'): string {
  const who = kind === 'rule' ? `role: ${role}, actions` : `for: [${role}], deny`
  const when = claim === undefined ? '' : `, when: "claims.${claim.name} == '${claim.value}'"`
  return `  - { id: ${id}, resource: ${resource}, ${who}: ['${method} ${template}']${when} }`
}

/** The policy as files: roles, rules and guardrails. */
export function sourcesOf({ roles, rules, guardrails }: CommonPolicy): Sources {
  const files = (name: string, key: string, lines: readonly string[]) =>
    Array.from({ length: Math.ceil(lines.length / PER_FILE) }, (_, i) => ({
      path: `policy/${name}-${i}.yaml`,
      text: `${['apiVersion: ostiary.dev/v1', `${key}:`, ...lines.slice(i * PER_FILE, (i + 1) * PER_FILE)].join('\n')}\n`,
    }))
  return {
    wiring: { path: 'ostiary.yaml', text: '' },
    environment: undefined,
    tests: [],
    policy: [
      ...files(
        'roles',
        'roles',
        roles.map((role) => `  ${role}: { bind: [{ issuer: idp, claim: roles, any: [${role}] }] }`),
      ),
      ...files(
        'rules',
        'rules',
        rules.map((one) => statementOf(one, 'rule')),
      ),
      ...files(
        'guardrails',
        'guardrails',
        guardrails.map((one) => statementOf(one, 'guardrail')),
      ),
    ],
  }
}

export function identityOf({ name, roles, claims }: Party): Identity {
  return {
    issuer: 'idp',
    subject: name,
    kind: 'human',
    claims: Object.assign(Object.create(null) as Record<string, never>, claims, { roles }),
    unknownClaims: new Set(),
    scopes: undefined,
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: undefined,
    evidence: {
      credential: 'bearer',
      issuerUrl: 'https://idp.example',
      audience: 'api',
      client: undefined,
      tokenId: undefined,
      keyId: undefined,
      algorithm: undefined,
      issuedAt: undefined,
      expiresAt: Number.POSITIVE_INFINITY,
      sessionId: undefined,
    },
  }
}

/** What the loader is given. */
export function loadOf(policy: CommonPolicy): LoadPolicy {
  return { sources: sourcesOf(policy), wiring: wiringOf(policy), kindClaims, mustAdminister: false, now: TIME }
}

/** Decisions of a compiled policy, each principal bound once. */
export function preparing(policy: CompiledPolicy): (ask: Ask) => () => boolean {
  const bound = new Map<Party, Principal>()
  return ({ party, resource, method, path }) => {
    const principal = bound.get(party) ?? policy.bind(identityOf(party))
    bound.set(party, principal)
    const action = { protocol: 'http', method, path } as const
    return () => policy.decide(principal, action, resource, CONTEXT).effect === 'allow'
  }
}

export const ostiary: Engine = {
  name: 'Ostiary',
  setUp: 'compiled once, principals bound once',
  open(common) {
    const { policy, diagnostics } = loadPolicy(loadOf(common))
    if (policy === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '))
    return Promise.resolve({ prepare: preparing(policy) })
  },
}
