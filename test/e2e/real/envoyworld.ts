/** Random policies, credentials and spellings of paths that a real Envoy and the engine are both asked about. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import * as fc from 'fast-check'
import { actionText } from '../../../src/policy/testdata/random.ts'
import { signToken, testKey, type JsonObject } from '../../../src/testing/tokens.ts'

export const DECLARED = {
  department: 'string',
  level: 'number',
  staff: 'boolean',
  teams: { type: 'list', path: ['realm', 'teams'] },
  'https://example.com/site': 'string',
}
const CONDITIONS = [
  'claims.department == "a"',
  'claims.department != "a"',
  'has(claims.department) && claims.department != "a"',
  'claims.level >= 2.0',
  'claims.level == 1.0 || claims.staff',
  '!claims.staff',
  '"a" in claims.teams',
  'has(claims["https://example.com/site"]) || claims.department in ["a", "b"]',
  'context.time < timestamp("2040-01-01T00:00:00Z")',
]

const VALUES = ['a', 'b', 'c']
const some = fc.subarray(VALUES, { minLength: 1 })
const binding = fc.oneof(
  fc.record({
    issuer: fc.constantFrom('people', 'services'),
    claim: fc.constantFrom('teams', 'roles', 'groups'),
    match: fc.constantFrom('any', 'all', 'none'),
    values: some,
  }),
  fc.record({
    issuer: fc.constantFrom('people', 'services'),
    claim: fc.constantFrom('department', 'https://example.com/site'),
    match: fc.constantFrom('any', 'none'),
    values: some,
  }),
  fc.record({
    issuer: fc.constant('people'),
    claim: fc.constant('level'),
    match: fc.constantFrom('any', 'none'),
    values: fc.subarray([1, 2, 2.5], { minLength: 1 }),
  }),
  fc.record({
    issuer: fc.constant('people'),
    claim: fc.constant('staff'),
    match: fc.constantFrom('any', 'none'),
    values: fc.constantFrom([true], [false]),
  }),
)
export const ROLES = ['r0', 'r1', 'r2', 'r3']
export const policies = fc.record({
  bind: fc.array(
    fc.array(fc.tuple(binding, fc.option(fc.constantFrom('human', 'workload'), { nil: undefined, freq: 2 })), {
      minLength: 1,
      maxLength: 2,
    }),
    { minLength: 4, maxLength: 4 },
  ),
  rules: fc.array(
    fc.record({
      role: fc.subarray([...ROLES, 'authenticated', 'everyone'], { minLength: 1, maxLength: 2 }),
      actions: fc.array(actionText, { minLength: 1, maxLength: 3 }),
      when: fc.option(fc.constantFrom(...CONDITIONS), { nil: undefined, freq: 1 }),
    }),
    { minLength: 3, maxLength: 8 },
  ),
  guardrails: fc.array(
    fc.record({
      roles: fc.subarray(ROLES, { minLength: 1, maxLength: 2 }),
      actions: fc.array(actionText, { minLength: 1, maxLength: 2 }),
      when: fc.option(fc.constantFrom(...CONDITIONS), { nil: undefined, freq: 1 }),
      does: fc.constantFrom('deny', 'mfa'),
    }),
    { maxLength: 3 },
  ),
  scoped: fc.boolean(),
})

export type PolicyOfWorld = typeof policies extends fc.Arbitrary<infer T> ? T : never

const ABSENT = Symbol('absent')
function mostly<T>(usual: readonly T[], unusual: readonly unknown[]): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 25, arbitrary: fc.constantFrom<unknown>(...usual) }, { weight: 1, arbitrary: fc.constantFrom(...unusual) })
}
const ODD = [null, 5, {}, [], '', 'a b', true, [['a']], { a: 'a' }, '5', 2 ** 53]
const list = mostly([ABSENT, ['a'], ['b', 'a'], [], ['c'], [5, 'a', {}]], ODD)
const claims = fc
  .record({
    sub: mostly(['reader-1', 'orders-web', 'listed'], ['', 5, 'é'.repeat(300)]),
    client_id: mostly(['orders-web', 'orders-web', 'listed'], [ABSENT, '', 5]),
    azp: mostly([ABSENT, ABSENT, 'orders-web'], ['other']),
    typ: mostly([ABSENT, 'Bearer'], ['ID', 'Refresh']),
    act: mostly([ABSENT], [{ sub: 'x' }, {}]),
    cnf: mostly([ABSENT], [{ jkt: 'x' }]),
    nonce: mostly([ABSENT], ['n']),
    scope: mostly([ABSENT, 'orders.read', 'other orders.read', 'orders.write', 'orders.reader'], [['orders.read'], 5]),
    scp: mostly([ABSENT], ['orders.read', ['orders.read']]),
    department: mostly([ABSENT, 'a', 'b'], ODD),
    level: mostly([ABSENT, 1, 2, 2.5], ODD),
    staff: mostly([ABSENT, true, false], ODD),
    roles: list,
    groups: list,
    realm: fc.oneof(
      { weight: 20, arbitrary: list.map((teams) => (teams === ABSENT ? {} : { teams })) },
      { weight: 1, arbitrary: fc.constantFrom<unknown>(null, 'a', [], ABSENT) },
    ),
    'https://example.com/site': mostly([ABSENT, 'a', 'b'], ODD),
    _claim_names: mostly([ABSENT], [{ groups: 's' }]),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ABSENT)) as JsonObject)

export type Credential =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'token'
      readonly issuer: 'people' | 'services'
      readonly claims: JsonObject
      readonly typ: string | undefined
      readonly times: string
    }
  | { readonly kind: 'bad'; readonly how: string }
export const credential: fc.Arbitrary<Credential> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'none' as const }) },
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('token' as const),
      issuer: fc.constantFrom('people' as const, 'people' as const, 'services' as const),
      claims,
      typ: fc.constantFrom('at+jwt', 'at+jwt', 'at+jwt', 'at+jwt', 'JWT', undefined),
      times: fc.oneof(
        { weight: 20, arbitrary: fc.constant('good') },
        { weight: 1, arbitrary: fc.constantFrom('expired', 'no exp', 'no iat', 'future', 'long', 'nbf') },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('bad' as const),
      how: fc.constantFrom('lower', 'basic', 'twice', 'query', 'foreign', 'signature', 'audience', 'none', 'no kid', 'crit', 'two', 'dpop'),
    }),
  },
)

export const SPELLINGS: readonly (readonly [string, string])[] = [
  ['', ''],
  ['', ''],
  ['', ''],
  ['', ''],
  ['', ''],
  ['', ''],
  ['/a', '/%61'],
  ['/a', '//a'],
  ['/a', '/./a'],
  ['/a', '/b/../a'],
  ['/a', '/a;x=1'],
  ['/a', '/A'],
  ['/a', '/a%2F'],
  ['/a', '/a%2f..'],
  ['/a', '/a%00'],
  ['/a', '/a%5c'],
  [':', '%3A'],
  [':', '%3a'],
  ['/a', '/a%20'],
  ['/a', '/a?x=/b'],
  ['/a', '/a#b'],
  ['/a', '/a%3F'],
  ['/a', '/%2561'],
  ['/a', '/a.'],
  ['/a', '/a%E4'],
  ['/a', '/a%e4'],
  ['/a', '/a|'],
]

/** One of them as the text of a file. */
export function policyText(data: PolicyOfWorld): JsonObject {
  const open = data.rules.some(({ role }) => role.includes('everyone'))
  return {
    apiVersion: 'ostiary.dev/v1',
    roles: Object.fromEntries(
      ROLES.map((role, i) => [
        role,
        {
          bind: data.bind[i]!.map(([{ issuer, claim, match, values }, kind]) => ({
            issuer,
            claim,
            [match]: values,
            ...(kind === undefined ? {} : { kind }),
          })),
        },
      ]),
    ),
    rules: data.rules.map(({ when, ...rule }, i) => ({
      id: `rule-${i}`,
      resource: 'api',
      ...rule,
      ...(when === undefined || rule.role.includes('everyone') ? {} : { when }),
    })),
    guardrails: data.guardrails.map(({ roles, actions, when, does }, i) => ({
      id: `guard-${i}`,
      [open ? 'allBut' : 'for']: roles,
      resource: 'api',
      ...(when === undefined ? {} : { when }),
      ...(does === 'deny' ? { deny: actions } : { actions, require: { mfa: true } }),
    })),
  }
}

/** One raw exchange: what Envoy answers to just these bytes; 0 where it ends the connection. @param tls How, where it isn't in the open */
export function send(port: number, bytes: string, tls?: ConnectionOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = ''
    const begin = (): void => void socket.write(bytes, 'latin1')
    const at = { port, host: '127.0.0.1' }
    const socket: Socket = tls === undefined ? connect(at, begin) : connectTls({ ...at, ...tls }, begin)
    socket.setEncoding('latin1')
    socket.setTimeout(10_000, () => void socket.destroy(new Error(`no answer to ${bytes}`)))
    socket.on('data', (chunk: string) => {
      said += chunk
      if (said.includes('\r\n\r\n')) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(said)?.[1] ?? 0)))
  })
}

/** The audience of every good token, and the keys of the issuers and of somebody else. */
export const AUDIENCE = 'https://orders.example'
export const es = testKey('es', 'ES256')
const stranger = testKey('es', 'ES256')

/** A good token, but for what is given. @param at Seconds since the epoch */
export function sign(issuer: string, at: number, more: JsonObject = {}, header: JsonObject | string = { typ: 'at+jwt' }, key = es): string {
  return signToken(key, { iss: issuer, aud: AUDIENCE, sub: 'reader-1', client_id: 'orders-web', iat: at, exp: at + 300, ...more }, header)
}

/** The lines of a request that show a credential, and the token where Ostiary's own verifier would read one. @param people The first issuer's URL */
export function credentialOf(
  who: Credential,
  at: number,
  people: string,
): {
  readonly lines: readonly string[]
  readonly token?: { readonly issuer: string; readonly header: JsonObject; readonly payload: JsonObject }
} {
  const bearer = (token: string): readonly string[] => [`Authorization: Bearer ${token}`]
  if (who.kind === 'none') return { lines: [] }
  if (who.kind === 'bad') {
    switch (who.how) {
      case 'lower':
        return { lines: [`Authorization: bearer ${sign(people, at)}`] }
      case 'basic':
        return { lines: ['Authorization: Basic YTpi'] }
      case 'twice':
        return { lines: [...bearer(sign(people, at)), ...bearer(sign(people, at))] }
      case 'two':
        return { lines: bearer(`${sign(people, at)}, Bearer ${sign(people, at)}`) }
      case 'dpop':
        return { lines: [`Authorization: DPoP ${sign(people, at)}`] }
      case 'query':
        return { lines: [] }
      case 'foreign':
        return { lines: bearer(sign('https://elsewhere.example', at)) }
      case 'signature':
        return { lines: bearer(sign(people, at, {}, { typ: 'at+jwt' }, stranger)) }
      case 'audience':
        return { lines: bearer(sign(people, at, { aud: 'https://other.example' })) }
      case 'none':
        return {
          lines: bearer(
            `${Buffer.from('{"alg":"none","typ":"at+jwt","kid":"es"}').toString('base64url')}.${sign(people, at).split('.')[1]}.`,
          ),
        }
      case 'no kid':
        return { lines: bearer(sign(people, at, {}, '{"alg":"ES256","typ":"at+jwt"}')) }
      default:
        return { lines: bearer(sign(people, at, {}, { typ: 'at+jwt', crit: ['exp'] })) }
    }
  }
  const issuer = who.issuer === 'people' ? people : 'services'
  const times: JsonObject = {
    good: { iat: at, exp: at + 300 },
    expired: { iat: at - 600, exp: at - 100 },
    'no exp': { iat: at },
    'no iat': { exp: at + 300 },
    future: { iat: at + 120, exp: at + 300 },
    long: { iat: at, exp: at + 40 * 3600 },
    nbf: { iat: at, nbf: at + 120, exp: at + 300 },
  }[who.times]!
  const payload: JsonObject = { iss: issuer, aud: AUDIENCE, ...times, ...who.claims }
  const header: JsonObject = { alg: 'ES256', kid: 'es', ...(who.typ === undefined ? {} : { typ: who.typ }) }
  return { lines: bearer(signToken(es, payload, JSON.stringify(header))), token: { issuer: who.issuer, header, payload } }
}
