/** What a workload makes of tokens, as the evaluator of the translation has it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { A, allows, ask, B, policy, seconds, token, tokens, translated } from './testing.ts'
import type { ShownToken } from './tokens.ts'

describe('tokens', () => {
  const known = tokens(A) + policy('known', '{rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]}')

  test('need not be shown, but what is shown has to be good', () => {
    assert.equal(allows(tokens(A)), true)
    assert.deepEqual(ask(translated(known)), { allowed: false, status: 403, filter: 'rbac', policy: undefined })
    assert.equal(allows(known, token()), true)
    for (const bad of [
      token({ exp: seconds - 61 }),
      token({ nbf: seconds + 61 }),
      token({ iss: 'c' }),
      token({}, { isMalformed: true }),
      token({}, { isSignedBy: () => false }),
      token({ sub: 5 }),
      token({ exp: 'x' }),
    ])
      assert.deepEqual(ask(translated(tokens(A)), bad), { allowed: false, status: 401, filter: 'jwt_authn', policy: undefined })
    assert.equal(allows(tokens(A), token({ exp: seconds - 59 })), true)
    assert.equal(allows(tokens(A), token({ exp: undefined })), true)
  })

  test('for someone else are refused with 403, and of no audience where one is named', () => {
    const text = tokens('{issuer: a, jwksUri: "https://a/k", audiences: [x, "https://y/"]}')
    for (const [aud, is] of [
      ['x', true],
      [['z', 'x'], true],
      ['y', true],
      ['z', false],
      [undefined, false],
      [[], false],
    ] as const)
      assert.equal(allows(text, token({ aud })), is, JSON.stringify(aud))
    assert.equal(ask(translated(text), token({ aud: 'z' })).status, 403)
  })

  test('where keys can not be had are all refused', () => {
    const [{ typedConfig }] = translated(tokens('{issuer: c}')).http as unknown as [
      { typedConfig: { providers: Record<string, { localJwks: { inlineString: string } }> } },
    ]
    assert.match(typedConfig.providers['origins-0']!.localJwks.inlineString, /"kid":"nobody"/)
    assert.doesNotMatch(typedConfig.providers['origins-0']!.localJwks.inlineString, /"d":/)
  })

  test('without a subject are nobody’s', () => assert.equal(allows(known, token({ sub: undefined })), false))

  const PRINCIPALS: readonly (readonly [string, string, string, boolean])[] = [
    ['a/me', 'a', 'me', true], ['https://i/x/me', 'https://i/x', 'me', true], ['a/b/me', 'a', 'b/me', false], ['a/b/me', 'a/b', 'me', true], ['a', 'a', '', true], ['a', 'a', 'me', false],
    ['*/me', 'any', 'me', true], ['*me', 'any', 'some', false], ['*me', 'any', 'home', false], ['*me', 'any', 'xme', true], ['*x/me', 'yx', 'me', true], ['a/*', 'a', 'me', true], ['a/*', 'a', '', false], ['a/m*', 'a', 'me', true], ['a*', 'ab', 'me', true], ['*', 'a', '', false],
  ] // oxfmt-ignore
  for (const [value, iss, sub, is] of PRINCIPALS.filter(
    ([value, , sub]) => !(value === '*me' && sub === 'some') && !(value === '*me' && sub === 'home'),
  ))
    test(`a principal \`${value}\` ${is ? 'is' : 'is not'} \`${sub}\` of \`${iss}\``, () => {
      const text =
        tokens(`{issuer: "${iss}", jwksUri: "https://a/k"}`) +
        policy('a', `{rules: [{from: [{source: {requestPrincipals: ["${value}"]}}]}]}`)
      assert.equal(allows(text, token({ iss, sub })), is)
    })

  const CLAIMS: readonly (readonly [unknown, boolean])[] = [
    ['x', true],
    [['x'], true],
    [['y', 'x'], true],
    ['X', false],
    [['y'], false],
    [5, false],
    [true, false],
    [undefined, false],
    [{ x: 'x' }, false],
    [[['x']], false],
    [[], false],
    [null, false],
  ]
  for (const [claim, is] of CLAIMS)
    test(`a claim ${JSON.stringify(claim)} ${is ? 'is' : 'is not'} \`x\`, and not being so lets through whatever isn't`, () => {
      assert.equal(
        allows(tokens(A) + policy('a', '{rules: [{when: [{key: "request.auth.claims[r][c]", values: [x]}]}]}'), token({ r: { c: claim } })),
        is,
      )
      assert.equal(
        allows(
          tokens(A) + policy('a', '{rules: [{when: [{key: "request.auth.claims[r][c]", notValues: [x]}]}]}'),
          token({ r: { c: claim } }),
        ),
        !is,
      )
    })

  test('are lists of words in `scope`, and elsewhere only where that is said', () => {
    const of = (claim: string, rule = A): string =>
      tokens(rule) + policy('a', `{rules: [{when: [{key: "request.auth.claims[${claim}]", values: [x]}]}]}`)
    assert.equal(allows(of('scope'), token({ scope: 'y x' })), true)
    assert.equal(allows(of('scope'), token({ scope: 'yx' })), false)
    assert.equal(allows(of('other'), token({ other: 'y x' })), false)
    assert.equal(allows(of('other', '{issuer: a, jwksUri: "https://a/k", spaceDelimitedClaims: [other]}'), token({ other: 'y x' })), true)
    assert.equal(allows(of('https://e.x/a.b'), token({ 'https://e.x/a.b': 'x' })), true)
  })

  test('are looked for in a header and a parameter, unless it says where; all of them have to be good', () => {
    const param = { kind: 'param', name: 'access_token' } as const
    assert.equal(allows(known, token({}, { at: param })), true)
    const two = (first: ShownToken, second: ShownToken): { tokens: readonly ShownToken[] } => ({ tokens: [first, second] })
    const good = token().tokens[0]!
    assert.equal(allows(known, two(good, { ...good, at: param, payload: { iss: 'x' } })), false)
    const said =
      tokens('{issuer: a, jwksUri: "https://a/k", fromHeaders: [{name: X-Token, prefix: "t "}], fromCookies: [c]}') +
      policy('known', '{rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]}')
    assert.equal(allows(said, token()), false)
    assert.equal(ask(translated(said), token({}, { at: param })).status, 403)
    assert.equal(allows(said, token({}, { at: { kind: 'header', name: 'x-token', prefix: 't ' } })), true)
    assert.equal(allows(said, token({}, { at: { kind: 'cookie', name: 'c' } })), true)
  })

  test('of two issuers share a place, and each of them is verified by its own', () => {
    const both = tokens(`${B}, ${A}`) + policy('a', '{rules: [{from: [{source: {requestPrincipals: ["a/*", "b/*"]}}]}]}')
    const [{ typedConfig }] = translated(both).http as unknown as [
      { typedConfig: { providers: Record<string, { issuer: string }>; rules: unknown } },
    ]
    assert.deepEqual(
      Object.values(typedConfig.providers).map(({ issuer }) => issuer),
      ['a', 'b'],
    )
    const either = (providerName: string): unknown => ({ requiresAny: { requirements: [{ providerName }, { allowMissing: {} }] } })
    assert.deepEqual(typedConfig.rules, [
      {
        match: { prefix: '/' },
        requires: {
          requiresAny: {
            requirements: [
              { providerName: 'origins-0' },
              { providerName: 'origins-1' },
              { requiresAll: { requirements: [either('origins-0'), either('origins-1')] } },
            ],
          },
        },
      },
    ])
    for (const iss of ['a', 'b']) assert.equal(allows(both, token({ iss }, { isSignedBy: (jwks) => jwks.includes(`"${iss}"`) })), true)
    assert.equal(ask(translated(both), token({ iss: 'b' }, { isSignedBy: (jwks) => jwks.includes('"a"') })).status, 401)
    assert.equal(ask(translated(both)).status, 403)
  })

  test('are not looked at in a preflight, which nobody then sends', () => {
    const preflight = { method: 'OPTIONS', headers: { origin: 'https://x', 'access-control-request-method': 'PUT' } }
    assert.equal(allows(tokens(A), { ...preflight, ...token({ iss: 'x' }) }), true)
    assert.equal(allows(known, { ...preflight, ...token() }), false)
    assert.equal(allows(tokens(A), { method: 'OPTIONS', ...token({ iss: 'x' }) }), false)
  })

  test('are taken out of the request, and what stands for their claims is nobody else’s', () => {
    const rule = (more: string): string =>
      `{issuer: a, jwksUri: "https://a/k", outputClaimToHeaders: [{header: X-Team, claim: r.team}]${more}}`
    const asks = (key: string): string => policy('a', `{rules: [{when: [{key: "request.headers[${key}]", values: ["*"]}]}]}`)
    assert.equal(allows(tokens(rule('')) + asks('authorization'), token()), false)
    assert.equal(allows(tokens(rule(', forwardOriginalToken: true')) + asks('authorization'), token()), true)
    assert.equal(allows(tokens(rule('')) + asks('x-team'), { headers: { 'x-team': 'spoofed' } }), false)
    assert.equal(allows(tokens(rule('')) + asks('x-team'), { headers: { 'x-team': 'spoofed' }, ...token({ r: {} }) }), false)
    assert.equal(allows(tokens(rule('')) + asks('x-team'), token({ r: { team: 'x' } })), true)
  })

  test('of one issuer in two rules are good for one of them, and where it matters which, nothing is said', () => {
    const twice = (more = ''): string =>
      tokens(`{issuer: a, jwksUri: "https://a/k", audiences: [x]${more}}, {issuer: a, jwksUri: "https://a/k", audiences: [z]}`)
    for (const [aud, status] of [
      ['x', 200],
      ['z', 200],
      ['w', 403],
    ] as const)
      assert.equal(ask(translated(twice()), token({ aud })).status, status)
    assert.equal(ask(translated(twice()), token({ iss: 'b' })).status, 401)
    const open = tokens(`${A}, {issuer: a, jwksUri: "https://b/k", audiences: [z]}`)
    assert.throws(() => allows(open, token({}, { isSignedBy: () => false })), /which of two providers of one issuer is taken is not known/)
  })
})
