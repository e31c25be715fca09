/** Two versions of a large policy, the same on every machine. */
import type { Sources } from '../../../src/config/wiring.ts'

export type ChangeKind = 'rules' | 'binding' | 'nothing'

const ROLES = 200
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', '*']
const NOUNS = ['orders', 'items', 'users', 'invoices', 'reports', 'files', 'notes', 'teams', 'plans', 'events']

/** Numbers that only look random (xorshift), so that both versions and every run have the same. */
function sequence(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** @param resources Over how many resources the rules are spread: the fewer, the more of them overlap. */
export function largePolicy(rules: number, resources: number, change: ChangeKind, after: boolean): Sources {
  const next = sequence(20_260_101)
  const other = sequence(77)
  const text: string[] = ['apiVersion: ostiary.dev/v1', 'roles:']
  for (let i = 0; i < ROLES; i++) {
    const value = after && change === 'binding' && i === 7 ? 'another-group' : `group-${i}`
    text.push(`  role-${i}: { bind: [{ issuer: entra, claim: ${i % 3 === 0 ? 'roles' : 'groups'}, any: [${value}, shared-${i % 20}] }] }`)
  }
  text.push('  admin: { bind: [{ issuer: entra, claim: roles, any: [Admin] }] }')
  text.push('rules:', "  - { id: administer, role: admin, resource: ostiary, actions: ['* /**'] }")
  for (let i = 0; i < rules; i++) {
    const own = rule(i, next, resources)
    const changed = rule(i, other, resources)
    text.push(after && change === 'rules' && i % 100 === 0 ? changed : own)
  }
  text.push('guardrails:')
  for (let i = 0; i < 100; i++) {
    const who = i % 2 === 0 ? `for: [role-${next(ROLES)}]` : `allBut: [role-${next(ROLES)}, role-${next(ROLES)}]`
    const what = i % 3 === 0 ? `require: { mfa: true }, actions` : 'deny'
    text.push(
      `  - { id: guard-${i}, ${who}, resource: api-${next(resources)}, ${what}: ['DELETE ${path(next)}', 'PUT /${NOUNS[next(10)]}/**'] }`,
    )
  }
  return {
    wiring: { path: 'ostiary.yaml', text: wiring(resources) },
    environment: undefined,
    policy: [{ path: 'policy/all.yaml', text: `${text.join('\n')}\n` }],
    tests: [],
  }
}

function rule(i: number, next: (below: number) => number, resources: number): string {
  const roles = [...new Set([next(ROLES), next(ROLES)])].map((one) => `role-${one}`).join(', ')
  const actions = Array.from({ length: 1 + next(3) }, () => `'${METHODS[next(METHODS.length)]} ${path(next)}'`).join(', ')
  const when = next(10) === 0 ? `, when: "${CONDITIONS[next(CONDITIONS.length)]}"` : ''
  return `  - { id: rule-${i}, role: [${roles}], resource: api-${next(resources)}, actions: [${actions}]${when} }`
}

const CONDITIONS = [
  "inCidr(context.ip, '10.0.0.0/8')",
  "claims.department == 'sales'",
  "context.time.getHours('Europe/Berlin') >= 8 && context.time.getHours('Europe/Berlin') < 18",
  "has(claims.department) && claims.department.startsWith('eng')",
]

/** Literals, parameters and open ends, so that templates overlap. */
function path(next: (below: number) => number): string {
  const first = NOUNS[next(10)]!
  const second = next(4) === 0 ? '{id}' : `area-${next(300)}`
  const third = [`/${NOUNS[next(10)]}`, '/{part}', '', '/**'][next(4)]!
  return `/${first}/${second}${third}`
}

function wiring(count: number): string {
  const resources = Array.from(
    { length: count },
    (_, i) => `  api-${i}: { protocol: http, hosts: [api-${i}.example.com], upstream: { url: 'https://api-${i}.internal.example.com' } }`,
  )
  return `apiVersion: ostiary.dev/v1
issuers:
  entra:
    kind: entra
    tenants: [11111111-1111-4111-8111-111111111111]
    audiences: [api://load]
    claims: { department: string }
    stepUp: { mfa: { claim: acrs, any: [c1] } }
resources:
${resources.join('\n')}
doors:
  http: { listen: [{ address: 127.0.0.1:0 }] }
`
}
