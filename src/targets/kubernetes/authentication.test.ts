import { Environment } from '@marcbachmann/cel-js'
import * as fc from 'fast-check'
import { RE2JS } from 're2js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { holdsOf, type NativeIssuer } from '../../core/token.ts'
import { declaredClaims } from '../../identity/claims.ts'
import { nativeEntra } from '../../identity/entra/native.ts'
import { entraSchema, type EntraConfig } from '../../identity/entra/schema.ts'
import { oidcClaims } from '../../identity/oidc/claims.ts'
import { nativeOidc } from '../../identity/oidc/native.ts'
import { clusterUser } from '../../kubernetes/users.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { NOW, someone } from '../../policy/testdata/world.ts'
import { runs } from '../../testing/runs.ts'
import type { NativeIssuers } from '../target.ts'
import { assumptionNames } from './assume.ts'
import { compileKubernetes } from './emit.ts'
import { inputOf, policyOf, targetOf } from './testing.ts'

const TENANT = '99999999-9999-9999-9999-999999999999'
const ci = nativeOidc({
  name: 'ci',
  iss: 'https://ci.example',
  audiences: ['kube'],
  algorithms: ['ES256'],
  clients: ['listed'],
  agents: ['robot'],
  declared: declaredClaims(oidcClaims, { repository: 'string', groups: 'list', rank: 'string', department: 'string' }),
  maxLifetime: 3_600_000,
  type: { pattern: 'at\\+jwt', absent: false },
  client: { claim: 'client_id', when: 'always' },
  appOnly: 'by-subject',
})
const entraConfig = entraSchema.parse({
  kind: 'entra',
  tenants: [TENANT],
  audiences: ['11111111-1111-1111-1111-111111111111'],
  claims: { department: 'string' },
})
const entra = nativeEntra('entra', entraConfig as EntraConfig & { readonly audiences: readonly string[] }) as readonly NativeIssuer[]
const issuers: NativeIssuers = new Map([
  ['ci', [ci]],
  ['entra', entra],
])

const AUTHENTICATION = targetOf({ assume: assumptionNames, authentication: {} })

interface Jwt {
  readonly issuer: { readonly url: string; readonly audiences: readonly string[] }
  readonly claimValidationRules: readonly { readonly expression: string }[]
  readonly claimMappings: { readonly username: { readonly expression: string }; readonly groups: { readonly expression: string } }
  readonly userValidationRules: readonly { readonly expression: string }[]
}

function configured(policy: CompiledPolicy, config = AUTHENTICATION, from = issuers) {
  const { diagnostics, needs = [], residues } = compileKubernetes(inputOf(policy, config, {}, from))
  assert.deepEqual(
    diagnostics.map(({ message }) => message),
    [],
  )
  const [{ document }] = needs as readonly [(typeof needs)[number]]
  return { document: document as unknown as { readonly apiVersion: string; readonly jwt: readonly Jwt[] }, residues }
}

const environment = new Environment({ enableOptionalTypes: true, unlistedVariablesAreDyn: true })
environment.registerVariable('claims', 'map<string, dyn>')
environment.registerFunction('string.isLike(string): bool', (text: string, pattern: string) => RE2JS.compile(pattern).matcher(text).find())
const evaluated = (expression: string, claims: Readonly<Record<string, unknown>>): unknown =>
  environment.evaluate(expression.replaceAll('.matches(', '.isLike('), { claims }) as unknown

/** Who a token makes of somebody; undefined for nobody. */
function userOf(jwt: Jwt, claims: Readonly<Record<string, unknown>>): { readonly name: unknown; readonly groups: unknown } | undefined {
  if (!jwt.claimValidationRules.every(({ expression }) => evaluated(expression, claims) === true)) return undefined
  const { username, groups } = jwt.claimMappings
  return { name: evaluated(username.expression, claims), groups: evaluated(groups.expression, claims) }
}

const SECONDS = NOW / 1000
const ofCi = (more: Readonly<Record<string, unknown>>) => ({
  iss: 'https://ci.example',
  aud: 'kube',
  sub: 'ann',
  client_id: 'cli',
  iat: SECONDS,
  exp: SECONDS + 300,
  ...more,
})
const RULES = `roles:
  deployer: { bind: [{ issuer: ci, claim: repository, any: [infra, "it's \\"quoted\\""] }] }
  reader: { bind: [{ issuer: ci, claim: groups, all: [a, b] }, { issuer: entra, claim: groups, any: [g] }] }
  outsider: { bind: [{ issuer: ci, claim: department, none: [staff] }] }
  machine: { bind: [{ issuer: ci, claim: rank, any: ["1"], kind: workload }] }
rules:
  - { id: r1, role: [deployer, reader, outsider, machine], resource: prod, actions: [get pods] }
  - { id: r2, role: [everyone, authenticated], resource: prod, actions: [get nodes] }
`

describe('authentication of an API server', () => {
  const policy = policyOf(RULES, {}, '')
  const { document } = configured(policy)
  const [jwt] = document.jwt as readonly [Jwt]

  it('is of each issuer, for its audiences', () => {
    assert.equal(document.apiVersion, 'apiserver.config.k8s.io/v1')
    assert.deepEqual(
      document.jwt.map(({ issuer }) => [issuer.url, issuer.audiences]),
      [ci, ...entra].map(({ iss, audiences }) => [iss, audiences]),
    )
    assert.equal(
      configured(policy, targetOf({ ...AUTHENTICATION, version: '1.33' })).document.apiVersion,
      'apiserver.config.k8s.io/v1beta1',
    )
  })

  it('makes of a token the user and the groups that the door makes of it', () => {
    const text = fc.constantFrom('infra', `it's "quoted"`, 'staff', 'a', 'b', '1', 'x')
    const claims = fc.record(
      {
        repository: text,
        department: text,
        rank: text,
        groups: fc.array(text, { maxLength: 3 }),
        sub: fc.constantFrom('ann', 'cli', 'listed'),
      },
      { requiredKeys: ['sub'] },
    )
    fc.assert(
      fc.property(claims, (more) => {
        const token = ofCi(more)
        const client = more.sub === 'ann' ? 'cli' : more.sub
        const { sub, ...declared } = more
        const appOnly = sub === client
        const principal = policy.bind(
          someone({
            issuer: 'ci',
            subject: sub,
            claims: declared,
            kind: appOnly ? 'workload' : 'human',
            appOnly,
            listedClient: sub === 'listed',
          }),
        )
        const door = clusterUser(principal)
        const here = userOf(jwt, { ...token, client_id: client })
        const isIn = principal.roles.includes('authenticated')
        assert.equal(here !== undefined, isIn, 'whoever has no role and is an application comes not in')
        if (here === undefined) return
        assert.equal(here.name, door.name)
        assert.deepEqual((here.groups as readonly string[]).toSorted(), door.groups.filter((one) => one !== 'ostiary:everyone').toSorted())
      }),
      { numRuns: runs(150) },
    )
  })

  it('takes only tokens that the native form takes', () => {
    const odd = fc.constantFrom<unknown>('x', '', 1, true, null, ['x'], [1], {}, { x: 1 })
    const names = [
      'sub',
      'client_id',
      'azp',
      'act',
      'cnf',
      'nonce',
      'typ',
      'scope',
      'scp',
      'groups',
      'repository',
      'exp',
      'iat',
      'nbf',
      '_claim_names',
      'at_hash',
    ]
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), odd, { maxKeys: 3 }), (more) => {
        const token = ofCi({ ...more, ...(Object.hasOwn(more, 'groups') ? {} : { groups: ['a', 'b'] }) })
        const isIn = userOf(jwt, token) !== undefined
        const header = { kid: 'k', typ: 'at+jwt', alg: 'ES256' }
        const native = holdsOf(ci.credential, { header, payload: token }, NOW, (pattern, text) => RE2JS.compile(pattern).matches(text))
        if (isIn) assert.ok(native, JSON.stringify(token))
      }),
      { numRuns: runs(500) },
    )
  })

  it('takes Entra tokens of the tenant and the version alone, by their object ids', () => {
    const v2 = document.jwt.find(({ issuer }) => issuer.url.endsWith('/v2.0'))!
    const token = {
      iss: v2.issuer.url,
      aud: '11111111-1111-1111-1111-111111111111',
      ver: '2.0',
      tid: TENANT,
      oid: 'AAAAAAAA-0000-0000-0000-000000000001',
      sub: 's',
      azp: 'bbbbbbbb-0000-0000-0000-000000000001',
      scp: 'Kube.Use',
      iat: SECONDS,
      exp: SECONDS + 300,
      groups: ['g'],
    }
    assert.deepEqual(userOf(v2, token), {
      name: `ostiary:entra:${TENANT}/aaaaaaaa-0000-0000-0000-000000000001`,
      groups: ['ostiary:authenticated', 'ostiary:reader'],
    })
    const refused: Readonly<Record<string, unknown>>[] = [
      { tid: '88888888-8888-8888-8888-888888888888' },
      { ver: '1.0' },
      { aud: [token.aud] },
      { hasgroups: true },
      { _claim_names: { groups: 'src1' } },
      { oid: 'ann@example.com' },
      { exp: SECONDS + 10 * 24 * 3600 },
      { nonce: 'n' },
      { cnf: { jkt: 'x' } },
      { xms_act_fct: '1' },
      { scp: '', idtyp: 'app' },
    ]
    for (const more of refused)
      assert.equal(
        userOf(v2, { ...token, ...(more['idtyp'] === undefined ? {} : { groups: [] }), ...more }),
        undefined,
        JSON.stringify(more),
      )
  })

  it('refuses names of Kubernetes itself, whatever the prefix', () => {
    for (const { userValidationRules } of document.jwt) assert.match(JSON.stringify(userValidationRules), /startsWith\(\\"system:\\"\)/)
  })

  it('says what it can not tell, and is refused without it', () => {
    const { diagnostics, documents, needs } = compileKubernetes(
      inputOf(policy, targetOf({ assume: ['default-roles', 'canonical-paths'], authentication: {} }), {}, issuers),
    )
    assert.deepEqual([documents, needs], [[], undefined])
    const said = diagnostics.map(({ help }) => /write `([a-z-]+)` under/.exec(help ?? '')?.[1] ?? '').toSorted()
    assert.deepEqual(said, [
      'access-tokens-only',
      'issued-in-the-past',
      'longer-clock-skew',
      'plain-headers',
      'published-keys',
      'unrevoked-tokens',
    ])
  })

  it('is one authenticator of AKS for each issuer but Entra ID, under its prefix', () => {
    const config = (more: object) => targetOf({ assume: assumptionNames, authentication: { form: 'aks' }, ...more })
    const { needs, diagnostics, residues } = compileKubernetes(inputOf(policy, config({ prefix: 'aks:jwt:' }), {}, issuers))
    assert.deepEqual(diagnostics, [])
    const [only, ...others] = needs!.map(({ document }) => document as unknown as Jwt)
    assert.deepEqual(others, [])
    const { issuer, claimMappings } = only!
    assert.deepEqual(issuer, { url: 'https://ci.example', audiences: ['kube'] })
    assert.match(claimMappings.username.expression, /^"aks:jwt:ci:"/)
    assert.match(claimMappings.groups.expression, /^\["aks:jwt:authenticated"\]/)
    assert.ok(residues.some(({ text }) => text === 'tokens of `entra`, which AKS takes by itself alone'))
    const other = compileKubernetes(inputOf(policy, config({}), {}, issuers))
    assert.match(other.diagnostics.map(({ message }) => message).join(), /names that AKS takes begin with `aks:jwt:`/)
    assert.throws(() => config({ authentication: { form: 'aks', anonymous: { enabled: false } } }), /has neither `issuers` nor `anonymous`/)
  })

  it('leaves out a role that is only held until an instant, and says so', () => {
    const until = new Date(NOW + 3_600_000).toISOString()
    const timed = policyOf(
      `roles:\n  fixer: { bind: [{ issuer: ci, claim: repository, any: [infra], breakGlass: { until: '${until}' } }] }\nrules:\n  - { id: fix, role: fixer, resource: prod, actions: [get pods] }\n`,
      {},
      '',
    )
    const { document: made, residues } = configured(timed)
    assert.deepEqual(userOf(made.jwt[0]!, ofCi({ repository: 'infra' }))?.groups, ['ostiary:authenticated'])
    assert.ok(
      residues.some(({ effect, text }) => effect === 'narrower' && text.includes('role `fixer` where it is bound until an instant')),
    )
  })

  it('is refused where the gateway is asked about guardrails for a role that no token shows', () => {
    const webhook = { url: 'https://ostiary.example/reviews', credential: { tokenFile: '/etc/ostiary/token' } }
    const asked = targetOf({ assume: assumptionNames, authentication: {}, authorization: { webhook } })
    const refusedFor = (binding: string, guardrail: string, config = asked): string => {
      const timed = policyOf(
        `roles:\n  outsider: ${binding}\nrules:\n  - { id: look, role: authenticated, resource: prod, actions: [get pods] }\nguardrails:\n  - { id: out, deny: ['* *'], resource: prod, ${guardrail} }\n`,
        {},
        '',
      )
      return compileKubernetes(inputOf(timed, config, {}, issuers))
        .diagnostics.map(({ message }) => message)
        .join()
    }
    const until = new Date(NOW + 3_600_000).toISOString()
    const timed = `{ bind: [{ issuer: ci, claim: sub, any: [eve], breakGlass: { until: '${until}' } }] }`
    const eligible = '{ eligible: [{ issuer: ci, claim: groups, any: [a] }] }'
    for (const binding of [timed, eligible])
      assert.match(
        refusedFor(binding, 'for: [outsider]'),
        /guardrail `out` is for role `outsider`, which is bound until an instant or can be/,
      )
    assert.equal(refusedFor(timed, 'allBut: [outsider]'), '', 'whoever is not told to be exempt is not')
    assert.equal(refusedFor('{ bind: [{ issuer: ci, claim: groups, any: [a] }] }', 'for: [outsider]'), '')
    assert.equal(
      refusedFor(timed, 'for: [outsider]', targetOf({ assume: assumptionNames, authorization: { webhook } })),
      '',
      'the door tells',
    )
  })

  it('is of issuers that can be told apart, and reached by https', () => {
    const twice: NativeIssuers = new Map([
      ['ci', [ci]],
      [
        'entra',
        [
          { ...ci, name: 'entra', form: 'entra' },
          { ...ci, name: 'entra', form: 'plain', iss: 'http://ci.example' },
        ],
      ],
    ])
    const { diagnostics } = compileKubernetes(
      inputOf(policyOf('rules:\n  - { id: a, role: everyone, resource: prod, actions: [get /livez] }\n'), AUTHENTICATION, {}, twice),
    )
    assert.match(
      diagnostics.map(({ message }) => message).join('\n'),
      /`entra` and `ci` have the same `iss`[^]*the `iss` of `plain` is no https address/,
    )
    const none = compileKubernetes(inputOf(policy, AUTHENTICATION, {}, new Map([['ci', { refused: 'is of kind `x`' }]])))
    assert.match(none.diagnostics.map(({ message }) => message).join('\n'), /none of its issuers has tokens that an API server can verify/)
  })
})
