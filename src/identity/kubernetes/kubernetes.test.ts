import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import { legacyServiceAccountClaims, serviceAccountClaims } from '../../testing/platformtokens.ts'
import { signToken, testKey, times, type JsonObject } from '../../testing/tokens.ts'
import { identified, issuerConfig, openIssuerWorld, said, testDeps, testIdentity, without, type IssuerWorld } from '../testing.ts'

const ISSUER = 'https://kubernetes.default.svc.cluster.local'
const AUDIENCE = 'https://orders.example'
const key = testKey('rsa')
const stranger = testKey('rsa')
/** The API server sends no `typ`. */
const HEADER = '{"alg":"RS256","kid":"rsa"}'
const ACCOUNT = 'system:serviceaccount:my-namespace:my-serviceaccount'

let world: IssuerWorld

before(async () => {
  world = await openIssuerWorld([key], (origin) => ({
    kind: 'kubernetes',
    issuer: ISSUER,
    jwksUri: `${origin}/keys`,
    audiences: [AUDIENCE],
    clients: [ACCOUNT],
    agents: ['system:serviceaccount:my-namespace:helper'],
  }))
})
after(() => world.close())

const claims = (more: JsonObject = {}): JsonObject => serviceAccountClaims(ISSUER, AUDIENCE, world.now, more)
const bound = (more: JsonObject): JsonObject => ({ 'kubernetes.io': { ...(claims()['kubernetes.io'] as JsonObject), ...more } })
const token = (payload: JsonObject, header: string = HEADER): string => signToken(key, payload, header)

test('a bound token of a pod is its service account', async () => {
  const identity = await identified(world.identities, token(claims()))
  const { subject, kind, appOnly, listedClient, scopes, display, evidence } = identity
  assert.deepEqual([subject, kind, appOnly, listedClient, scopes], [ACCOUNT, 'workload', true, true, undefined])
  assert.equal(display, 'my-namespace/my-serviceaccount')
  assert.deepEqual(
    { ...identity.claims },
    {
      sub: ACCOUNT,
      namespace: 'my-namespace',
      serviceAccount: 'my-serviceaccount',
      serviceAccountUid: '14ee3fa4-a7e2-420f-9f9a-dbc4507c3798',
      pod: 'my-pod',
      podUid: '5e0bd49b-f040-43b0-99b7-22765a53f7f3',
      node: 'my-node',
      nodeUid: '646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1',
    },
  )
  assert.deepEqual([evidence.issuerUrl, evidence.audience, evidence.client], [ISSUER, AUDIENCE, ACCOUNT])
  assert.deepEqual([evidence.tokenId, evidence.keyId], ['aed34954-b33a-4142-b1ec-389d6bbb4936', 'rsa'])
})

test('claims that the token does not have are absent, also where its top level pretends to them', async () => {
  const { namespace, serviceaccount } = claims()['kubernetes.io'] as JsonObject
  const alone = claims({
    'kubernetes.io': { namespace: namespace!, serviceaccount: serviceaccount! },
    pod: 'other',
    namespace: 'kube-system',
  })
  const identity = await identified(world.identities, token(alone))
  assert.deepEqual(Object.keys(identity.claims).toSorted(), ['namespace', 'serviceAccount', 'serviceAccountUid', 'sub'])
  assert.equal(identity.claims['namespace'], 'my-namespace')
})

test('a listed agent is an agent', async () => {
  const helper = claims({
    sub: 'system:serviceaccount:my-namespace:helper',
    'kubernetes.io': { namespace: 'my-namespace', serviceaccount: { name: 'helper', uid: 'u' } },
  })
  const identity = await identified(world.identities, token(helper))
  assert.deepEqual([identity.kind, identity.listedClient], ['agent', false])
})

const cases: readonly (readonly [string, () => string, string])[] = [
  ['of the legacy kind', () => token(legacyServiceAccountClaims), 'legacy-token'],
  ['of the legacy kind with an end', () => token({ ...legacyServiceAccountClaims, ...times(world.now), aud: AUDIENCE }), 'legacy-token'],
  ['without an end', () => token(without(claims(), 'exp')), 'claim exp'],
  ['that lives for a year', () => token(claims(times(world.now, 31_536_000))), 'lifetime'],
  ['that has ended', () => token(claims(times(world.now - 9_000_000))), 'expired'],
  ['for the API server', () => token(claims({ aud: [ISSUER] })), 'audience'],
  ['without audience', () => token(without(claims(), 'aud')), 'audience'],
  ['of another cluster', () => token(claims({ iss: 'https://other.example' })), 'issuer'],
  ['of its issuer with a slash', () => token(claims({ iss: `${ISSUER}/` })), 'issuer'],
  ['signed by a stranger', () => signToken(stranger, claims(), HEADER), 'signature'],
  ['with an unknown key', () => token(claims(), '{"alg":"RS256","kid":"other"}'), 'unknown-key'],
  ['without a key id', () => token(claims(), '{"alg":"RS256"}'), 'unknown-key'],
  ['of another type', () => token(claims(), '{"alg":"RS256","kid":"rsa","typ":"at+jwt"}'), 'token-type'],
  ['bound to a key', () => token(claims({ cnf: { jkt: 'x' } })), 'token-type'],
  ['without the claim of Kubernetes', () => token(without(claims(), 'kubernetes.io')), 'claim kubernetes.io'],
  ['whose claim of Kubernetes is text', () => token(claims({ 'kubernetes.io': 'my-namespace' })), 'claim kubernetes.io'],
  ['without a service account', () => token(claims({ 'kubernetes.io': { namespace: 'my-namespace' } })), 'claim kubernetes.io'],
  [
    'of a service account without uid',
    () => token(claims(bound({ serviceaccount: { name: 'my-serviceaccount' } }))),
    'claim kubernetes.io',
  ],
  ['whose namespace is none', () => token(claims(bound({ namespace: 'a:b' }))), 'claim kubernetes.io'],
  ['whose pod is null', () => token(claims(bound({ pod: null }))), 'claim kubernetes.io'],
  ['whose node has no uid', () => token(claims(bound({ node: { name: 'my-node' } }))), 'claim kubernetes.io'],
  ['whose parts disagree on the namespace', () => token(claims(bound({ namespace: 'other' }))), 'claim sub'],
  ['whose parts disagree on the account', () => token(claims({ sub: 'system:serviceaccount:my-namespace:admin' })), 'claim sub'],
  ['of a node', () => token(claims({ sub: 'system:node:my-node' })), 'claim sub'],
  ['without subject', () => token(without(claims(), 'sub')), 'claim sub'],
]

for (const [name, make, reason] of cases)
  test(`a token ${name} is refused: ${reason}`, async () => {
    assert.equal(await said(world.identities, make()), reason)
  })

test('whatever is signed, an account is named by both of its names or by none', async () => {
  const part = fc.oneof(fc.constantFrom('my-namespace', 'my-serviceaccount', 'a:b', '', 'A', 'kube-system'), fc.string({ maxLength: 8 }))
  const value: fc.Arbitrary<JsonObject[string]> = fc.oneof(part, fc.jsonValue() as fc.Arbitrary<JsonObject[string]>)
  const shape = fc.record({ sub: value, namespace: value, name: value, uid: value, pod: fc.option(value, { nil: undefined }) })
  await fc.assert(
    fc.asyncProperty(shape, async ({ sub, namespace, name, uid, pod }) => {
      const private_ = { namespace, serviceaccount: { name, uid }, ...(pod === undefined ? {} : { pod }) }
      const result = await said(world.identities, token(claims({ sub, 'kubernetes.io': private_ })))
      if (result === 'verified') assert.ok(typeof namespace === 'string' && typeof name === 'string')
      if (result === 'verified') assert.equal(sub, `system:serviceaccount:${namespace as string}:${name as string}`)
      else assert.match(result, /^claim (sub|kubernetes\.io)$|^malformed$/)
    }),
    { numRuns: 150 },
  )
})

test('a cluster that asks for a token is shown one, anew each time, and nobody else is', async () => {
  const deps = testDeps()
  const shown: (string | undefined)[] = []
  let elsewhere = ''
  const server = createServer((request, response) => {
    shown.push(`${request.url} ${request.headers.authorization}`)
    const keys = { keys: [key.jwk] }
    const metadata = { issuer: `http://127.0.0.1:${port()}`, jwks_uri: elsewhere === '' ? `http://127.0.0.1:${port()}/keys` : elsewhere }
    response.end(JSON.stringify(request.url === '/keys' ? keys : metadata))
  })
  const port = (): number => (server.address() as AddressInfo).port
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    writeFileSync(join(deps.folder, 'token'), 'first\n')
    const issuer = `http://127.0.0.1:${port()}`
    const open = () => testIdentity({ cluster: { kind: 'kubernetes', issuer, audiences: [AUDIENCE], tokenFile: 'token' } }, deps)
    const one = open()
    assert.equal(await said(one, signToken(key, serviceAccountClaims(issuer, AUDIENCE, deps.clock.now()), HEADER)), 'verified')
    await one.close()
    assert.deepEqual(shown.splice(0), ['/.well-known/openid-configuration Bearer first', '/keys Bearer first'])
    writeFileSync(join(deps.folder, 'token'), 'second\n')
    elsewhere = `${world.fixture.origin}/keys`
    const two = open()
    const fresh = testKey('new')
    assert.equal(await said(two, signToken(fresh, serviceAccountClaims(issuer, AUDIENCE, deps.clock.now()))), 'unknown-key')
    await two.close()
    assert.deepEqual(shown.splice(0), ['/.well-known/openid-configuration Bearer second'])
  } finally {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
    deps.remove()
  }
})

test('a file of authorities that can not be read leaves the issuer without keys, said once', async () => {
  const deps = testDeps()
  const config = { kind: 'kubernetes', issuer: ISSUER, jwksUri: `${world.fixture.origin}/keys`, audiences: [AUDIENCE], ca: 'none.pem' }
  const identities = testIdentity({ cluster: config }, deps)
  try {
    assert.equal(await said(identities, token(claims())), 'unavailable keys')
    assert.deepEqual(identities.status()['cluster'], { ready: false, detail: 'no keys' })
    assert.equal(deps.lines.length, 1)
  } finally {
    await identities.close()
    deps.remove()
  }
})

test('its issuer and keys are https URLs', () => {
  const base = { kind: 'kubernetes', issuer: ISSUER, audiences: [AUDIENCE] }
  assert.doesNotThrow(() => issuerConfig(base))
  for (const wrong of [
    { issuer: 'kubernetes/serviceaccount' },
    { jwksUri: 'http://10.0.0.1/openid/v1/jwks' },
    { audiences: [] },
    { ca: '' },
  ])
    assert.throws(() => issuerConfig({ ...base, ...wrong }), JSON.stringify(wrong))
})
