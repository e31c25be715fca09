/** Random policies, principals and requests over a small alphabet, so that they meet often. For property tests. */
import * as fc from 'fast-check'
import type { HttpAction } from '../../core/action.ts'
import type { DecisionContext } from '../../core/decision.ts'
import type { ClaimValue, Identity, Principal } from '../../core/principal.ts'
import type { SourceFile } from '../../config/wiring.ts'
import { NOW, someone } from './world.ts'

const ROLES = ['r0', 'r1', 'r2', 'r3']
const VALUES = ['a', 'b', 'c']
const CONDITIONS = [
  'true',
  'false',
  'claims.department == "a"',
  'has(claims.department) && claims.department == "a"',
  '"a" in claims.groups',
  'claims.groups.exists(g, g == "b")',
  'request.method == "GET"',
  'context.ip == "10.0.0.1"',
  '1 / 0 == 1',
  'claims.department == "a" || true',
]

const subset = (values: readonly string[], minLength: number) => fc.subarray([...values], { minLength })

const binding = fc
  .oneof(
    fc.record({
      issuer: fc.constant('entra'),
      claim: fc.constantFrom('roles', 'groups'),
      match: fc.constantFrom('any', 'all', 'none'),
      values: subset(VALUES, 1),
    }),
    fc.record({
      issuer: fc.constant('entra'),
      claim: fc.constant('department'),
      match: fc.constantFrom('any', 'none'),
      values: subset(VALUES, 1),
    }),
    fc.record({
      issuer: fc.constant('ci'),
      claim: fc.constant('repository'),
      match: fc.constantFrom('any', 'none'),
      values: subset(VALUES, 1),
    }),
  )
  .chain(({ issuer, claim, match, values }) =>
    fc
      .record({
        kind: fc.option(fc.constantFrom('human', 'workload'), { nil: undefined, freq: 4 }),
        until: fc.option(fc.constantFrom(NOW - 1000, NOW + 1000), { nil: undefined, freq: 5 }),
      })
      .map(({ kind, until }) => ({
        issuer,
        claim,
        [match]: values,
        ...(kind === undefined ? {} : { kind }),
        ...(until === undefined ? {} : { breakGlass: { until: new Date(until).toISOString() } }),
      })),
  )

const segment = fc.constantFrom('a', 'a', 'b', 'A', '{x}', '{x}', '%3a')
export const template = fc.tuple(fc.array(segment, { maxLength: 2 }), fc.constantFrom('', '', '/', '/**', '/**')).map(([segments, end]) => {
  const named = segments.map((one, i) => (one === '{x}' ? `{x${i}}` : one))
  return `/${named.join('/')}${named.length === 0 ? end.slice(1) : end}`
})
export const actionText = fc
  .tuple(fc.constantFrom('GET', 'GET', 'HEAD', 'POST', '*'), template)
  .map(([method, path]) => `${method} ${path}`)

const resource = fc.oneof(
  fc.constantFrom('orders', 'wiki', 'ostiary'),
  subset(['orders', 'wiki'], 1),
  fc.constantFrom({ labels: { zone: 'a' } }, { labels: { tier: 'business' } }),
)
const when = fc.option(fc.constantFrom(...CONDITIONS), { nil: undefined, freq: 1 })
const actions = fc.array(actionText, { minLength: 1, maxLength: 3 })

export interface RuleData {
  readonly id: string
  readonly [key: string]: unknown
}

/** A policy as plain data: JSON is YAML, so its text is written from it. */
export interface PolicyData {
  readonly roles: Readonly<
    Record<string, { readonly bind: readonly unknown[]; readonly eligible: readonly unknown[]; readonly includes: readonly string[] }>
  >
  readonly rules: readonly RuleData[]
  readonly guardrails: readonly RuleData[]
}

const peer = fc.option(subset([...ROLES, 'authenticated'], 1), { nil: undefined, freq: 1 })
const rule = (roles: readonly string[]) =>
  fc
    .record({
      role: subset(roles, 1),
      resource,
      actions,
      when,
      peer: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: peer }),
    })
    .map(({ peer: other, ...rest }) => (other === undefined ? rest : { ...rest, peer: other }))

/** What a guardrail does besides denying, and whether it is only observed. */
const softer = fc.oneof(
  fc.record({ require: fc.constantFrom({ mfa: true }, { authContext: 'c1' }, { mfa: true, authContext: 'c1' }) }),
  fc.record({
    require: fc.constantFrom<object>(
      { device: 'managed' },
      { network: ['10.0.0.0/8'] },
      { justification: true },
      { justification: { matches: 'OPS-[0-9]+' } },
      { approval: { from: ['r0'] } },
      { mfa: true, approval: { from: ['r1', 'r0'], count: 2 } },
    ),
  }),
  fc.record({
    mask: fc.constantFrom({ '$.a': 'drop' }, { "$['a']": 'hash', '$..b': { partial: { last: 2 } } }, { '$..b': { constant: 1 } }),
  }),
  fc.record({
    limit: fc.constantFrom({ requests: 5, in: '1m' }, { requests: 9, in: '1h', per: 'address' }, { requests: 1, in: '1s', per: 'client' }),
  }),
  fc.constant({ record: 'strict' }),
)
const observation = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(NOW - 1000, NOW + 1000).map((until) => ({ mode: 'observe', until: new Date(until).toISOString() })),
  },
)
const guardrail = fc
  .record({
    who: fc.constantFrom('for', 'allBut'),
    roles: subset([...ROLES, 'authenticated'], 1),
    resource,
    actions,
    does: fc.option(softer, { nil: undefined, freq: 2 }),
    observed: observation,
    when,
  })
  .map(({ who, roles, actions: what, does, observed, ...rest }) => ({
    ...rest,
    ...observed,
    [who]: roles,
    ...(does === undefined ? { deny: what } : { ...does, actions: what }),
  }))

const named = (prefix: string, items: readonly object[]): RuleData[] =>
  items.map((item, i) => ({ id: `${prefix}${i}`, ...(JSON.parse(JSON.stringify(item)) as object) }))

/** `everyone` is granted things only where no guardrail could be evaded by it, which is an error of its own. */
export const policyData: fc.Arbitrary<PolicyData> = fc
  .record({
    bind: fc.array(fc.array(binding, { minLength: 1, maxLength: 2 }), { minLength: ROLES.length, maxLength: ROLES.length }),
    eligible: fc.array(fc.array(binding, { maxLength: 1 }), { minLength: ROLES.length, maxLength: ROLES.length }),
    open: fc.boolean(),
    includes: fc.array(fc.option(fc.boolean(), { freq: 1, nil: false }), { minLength: ROLES.length ** 2, maxLength: ROLES.length ** 2 }),
  })
  .chain(({ bind, eligible, open, includes }) =>
    fc
      .record({
        rules: fc.array(rule([...ROLES, 'authenticated', ...(open ? ['everyone'] : [])]), { minLength: 2, maxLength: 8 }),
        guardrails: fc.array(open ? guardrail.filter((one) => 'allBut' in one) : guardrail, { maxLength: 3 }),
      })
      .map(({ rules, guardrails }) => ({
        // A role includes only those after it, so that there is no circle.
        roles: Object.fromEntries(
          ROLES.map((name, i) => [
            name,
            { bind: bind[i]!, eligible: eligible[i]!, includes: ROLES.filter((_, j) => j > i && includes[i * ROLES.length + j] === true) },
          ]),
        ),
        rules: named('rule-', rules),
        guardrails: named('guardrail-', guardrails),
      })),
  )

/** A further rule or guardrail for a policy that has those of `policyData`. */
export const anotherRule: fc.Arbitrary<RuleData> = rule([...ROLES, 'authenticated']).map((one) => named('extra-', [one])[0]!)
export const anotherGuardrail: fc.Arbitrary<RuleData> = guardrail.filter((one) => 'allBut' in one).map((one) => named('extra-', [one])[0]!)

export function filesOf(data: PolicyData): readonly SourceFile[] {
  return [{ path: 'policy/p.yaml', text: JSON.stringify({ apiVersion: 'ostiary.dev/v1', ...data }) }]
}

const list = fc.option(subset(VALUES, 0), { nil: undefined })
const oneIdentity: fc.Arbitrary<Identity> = fc
  .record({
    issuer: fc.constantFrom('entra', 'entra', 'ci'),
    kind: fc.constantFrom('human' as const, 'workload' as const),
    roles: list,
    groups: list,
    department: fc.option(fc.constantFrom(...VALUES), { nil: undefined }),
    overage: fc.boolean(),
    appOnly: fc.boolean(),
    listedClient: fc.boolean(),
    scopes: fc.option(subset(['Wiki.Read', 'Wiki.Write'], 0), { nil: undefined }),
  })
  .map(({ issuer, kind, roles, groups, department, overage, appOnly, listedClient, scopes }) => {
    const claims = Object.create(null) as Record<string, ClaimValue>
    if (issuer === 'ci') {
      if (department !== undefined) claims['repository'] = department
    } else {
      if (roles !== undefined) claims['roles'] = roles
      if (groups !== undefined && !overage) claims['groups'] = groups
      if (department !== undefined) claims['department'] = department
    }
    return someone({
      issuer,
      kind,
      claims,
      appOnly,
      listedClient,
      scopes,
      unknownClaims: new Set(overage && issuer === 'entra' ? ['groups'] : []),
    })
  })

/** A chain of up to six parties. */
export const identity: fc.Arbitrary<Identity> = fc
  .oneof(fc.tuple(oneIdentity), fc.tuple(oneIdentity), fc.array(oneIdentity, { minLength: 1, maxLength: 6, size: 'max' }))
  .map((chain) => chain.reduceRight<Identity | undefined>((actor, one, i) => ({ ...one, subject: `s${i}`, actor }), undefined)!)
export const maybeIdentity = fc.option(identity, { nil: undefined, freq: 8 })

export const path = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .tuple(fc.array(fc.constantFrom('a', 'a', 'b', 'A', 'z', ':', '%3A', '%3a'), { maxLength: 3 }), fc.constantFrom('', '/'))
      .map(([parts, end]) => `/${parts.join('/')}${parts.length === 0 ? '' : end}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '*', '//', '/a//b', '/../a', '/a/./b', '/%2e%2e/a', '/a/%zz', '/a?b', 'a/b', '/a/%E4', '/\uD800'),
  },
)
export const action: fc.Arbitrary<HttpAction> = fc.record({
  protocol: fc.constant('http' as const),
  method: fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'get'),
  path,
})
export const resourceName = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('orders', 'orders', 'wiki', 'ostiary') },
  { weight: 1, arbitrary: fc.constantFrom('nowhere', '__proto__') },
)
/** A principal that no policy made: whoever is asked binds it anew. */
function unbound(of: Identity): Principal {
  const { issuer, subject, kind, claims } = of
  return { issuer, subject, kind, claims, roles: [], unknownRoles: [], provenance: [], actor: undefined, identity: of, policyVersion: '' }
}

export const context: fc.Arbitrary<DecisionContext> = fc.record(
  {
    time: fc.constantFrom(NOW - 2000, NOW, NOW + 2000),
    ip: fc.constantFrom('10.0.0.1', '192.0.2.1'),
    peer: oneIdentity.map(unbound),
    justification: fc.constantFrom('OPS-1', 'because', ' '),
    approved: fc.subarray(['guardrail-0', 'guardrail-1', 'guardrail-2']).map((ids) => new Set(ids)),
    grants: fc.array(
      fc.record({
        issuer: fc.constantFrom('entra', 'ci'),
        subject: fc.constantFrom('s0', 's0', 's1'),
        role: fc.constantFrom(...ROLES),
        from: fc.constantFrom(NOW - 1500, NOW - 500),
        until: fc.constantFrom(NOW + 500, NOW + 2500),
      }),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: ['time', 'ip'] },
)
