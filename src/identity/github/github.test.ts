import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import { githubClaims } from '../../testing/platformtokens.ts'
import { signToken, testKey, times, type JsonObject } from '../../testing/tokens.ts'
import { identified, issuerConfig, openIssuerWorld, said, without, type IssuerWorld } from '../testing.ts'

const AUDIENCE = 'https://orders.example'
const key = testKey('example-key-id')

let world: IssuerWorld

before(async () => {
  world = await openIssuerWorld([key], (issuer) => ({
    kind: 'github',
    issuer,
    audiences: [AUDIENCE],
    owners: ['65', 'Named-Org'],
    clients: ['74'],
    claims: { workflow_actor: { type: 'string', path: ['actor'] } },
  }))
})
after(() => world.close())

const claims = (more: JsonObject = {}): JsonObject => githubClaims(world.fixture.origin, AUDIENCE, world.now, more)
const token = (more: JsonObject = {}): string => signToken(key, claims(more), { x5t: 'example-thumbprint' })
const of = (owner: string, id: string): JsonObject => ({ repository: `${owner}/repo`, repository_owner: owner, repository_owner_id: id })

test('the token of a job is its repository', async () => {
  const identity = await identified(world.identities, token())
  const { subject, kind, appOnly, listedClient, scopes, display, evidence } = identity
  assert.deepEqual([subject, kind, appOnly], ['repo:octo-org/octo-repo:environment:prod', 'workload', true])
  assert.deepEqual([listedClient, scopes, display], [true, undefined, 'octo-org/octo-repo'])
  assert.deepEqual([evidence.client, evidence.tokenId, evidence.issuerUrl], ['74', 'example-id', world.fixture.origin])
  const { repository, repository_id, repository_owner, repository_owner_id, environment, ref, ref_type, event_name } = identity.claims
  assert.deepEqual([repository, repository_id, repository_owner, repository_owner_id], ['octo-org/octo-repo', '74', 'octo-org', '65'])
  assert.deepEqual([environment, ref, ref_type, event_name], ['prod', 'refs/heads/main', 'branch', 'workflow_dispatch'])
  assert.equal(identity.claims['job_workflow_ref'], 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main')
  assert.deepEqual([identity.claims['ref_protected'], identity.claims['workflow_actor']], [true, 'octocat'])
  assert.equal(identity.unknownClaims.size, 0)
})

test('a truth that is neither is unknown', async () => {
  const { claims, unknownClaims } = await identified(world.identities, token({ ref_protected: 'yes', run_id: 17 }))
  assert.deepEqual([...unknownClaims].toSorted(), ['ref_protected', 'run_id'])
  assert.ok(!('ref_protected' in claims) && !('run_id' in claims))
})

test('owners are accepted by id, whatever they are called, or by name, however it is spelt', async () => {
  assert.equal(await said(world.identities, token(of('renamed-org', '65'))), 'verified')
  assert.equal(await said(world.identities, token(of('named-org', '66'))), 'verified')
})

const cases: readonly (readonly [string, () => string, string])[] = [
  ['of somebody else', () => token(of('evil-org', '67')), 'tenant'],
  ['of somebody who took the old name of an owner listed by id', () => token(of('octo-org', '67')), 'tenant'],
  ['of somebody who is called like a listed id', () => token(of('65', '67')), 'tenant'],
  ['of somebody whose id is a listed name', () => token(of('evil-org', 'named-org')), 'tenant'],
  ['of an owner whose name begins like a listed one', () => token(of('named-org-2', '67')), 'tenant'],
  ['whose repository is of another owner', () => token({ repository: 'evil-org/octo-repo' }), 'claim repository'],
  ['whose repository has no owner', () => token({ repository: 'octo-org' }), 'claim repository'],
  ['without owner id', () => signToken(key, without(claims(), 'repository_owner_id')), 'claim repository_owner_id'],
  ['whose owner id is a number', () => token({ repository_owner_id: 65 }), 'claim repository_owner_id'],
  ['without owner', () => signToken(key, without(claims(), 'repository_owner')), 'claim repository_owner'],
  ['without repository id', () => signToken(key, without(claims(), 'repository_id')), 'claim repository_id'],
  ['without subject', () => signToken(key, without(claims(), 'sub')), 'claim sub'],
  ['for the audience that GitHub gives by itself', () => token({ aud: 'https://github.com/octo-org' }), 'audience'],
  ['that lives for two hours', () => token(times(world.now, 7_200)), 'lifetime'],
  ['that has ended', () => token(times(world.now - 9_000_000)), 'expired'],
  ['of another issuer', () => token({ iss: 'https://token.actions.githubusercontent.com/evil-corp' }), 'issuer'],
  ['of another type', () => signToken(key, claims(), { typ: 'at+jwt' }), 'token-type'],
  ['signed otherwise', () => signToken(testKey('example-key-id', 'ES256'), claims()), 'algorithm'],
  ['of a stranger', () => signToken(testKey('example-key-id'), claims()), 'signature'],
]

for (const [name, make, reason] of cases)
  test(`a token ${name} is refused: ${reason}`, async () => {
    assert.equal(await said(world.identities, make()), reason)
  })

test('whatever a job may say of itself, its owner is one that is listed', async () => {
  const value = fc.oneof(
    fc.constantFrom('65', 'octo-org', 'named-org', 'NAMED-ORG', 'octo-org/x', 'named-org/x', '', 'constructor', '__proto__'),
    fc.string({ maxLength: 6 }),
    fc.jsonValue() as fc.Arbitrary<JsonObject[string]>,
  )
  const shape = fc.record({ repository: value, repository_owner: value, repository_owner_id: value, sub: value })
  await fc.assert(
    fc.asyncProperty(shape, async (more) => {
      const result = await said(world.identities, token(more))
      if (result !== 'verified') return assert.match(result, /^(claim \w+|tenant|malformed)$/)
      const { repository_owner: owner, repository_owner_id: id, repository } = more
      assert.ok(typeof owner === 'string' && typeof repository === 'string')
      assert.ok(id === '65' || owner.toLowerCase() === 'named-org')
      assert.ok(repository.startsWith(`${owner}/`))
    }),
    { numRuns: 150 },
  )
})

test('owners and audiences have to be said', () => {
  const base = { kind: 'github', audiences: [AUDIENCE], owners: ['65'] }
  assert.doesNotThrow(() => issuerConfig(base))
  for (const wrong of [{ owners: undefined }, { owners: [] }, { owners: [65] }, { owners: ['*'] }, { owners: [''] }, { audiences: [] }])
    assert.throws(() => issuerConfig({ ...base, ...wrong }), JSON.stringify(wrong))
})
