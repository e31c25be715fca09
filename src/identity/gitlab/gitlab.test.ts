import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import { gitlabClaims } from '../../testing/platformtokens.ts'
import { signToken, testKey, times, type JsonObject } from '../../testing/tokens.ts'
import { identified, issuerConfig, openIssuerWorld, said, without, type IssuerWorld } from '../testing.ts'

const AUDIENCE = 'https://orders.example'
const key = testKey('gitlab')

let world: IssuerWorld
let instance: IssuerWorld

before(async () => {
  const config = (issuer: string) => ({ kind: 'gitlab', issuer, audiences: [AUDIENCE], clients: ['20'] })
  world = await openIssuerWorld([key], (issuer) => ({ ...config(issuer), namespaces: ['72', 'Named/Group'] }))
  instance = await openIssuerWorld([key], config)
})
after(async () => {
  await world.close()
  await instance.close()
})

const claims = (more: JsonObject = {}): JsonObject => gitlabClaims(world.fixture.origin, AUDIENCE, world.now, more)
const token = (more: JsonObject = {}): string => signToken(key, claims(more))
const of = (namespace: string, id: string): JsonObject => ({
  project_path: `${namespace}/project`,
  namespace_path: namespace,
  namespace_id: id,
})

test('the token of a job is its project', async () => {
  const identity = await identified(world.identities, token())
  const { subject, kind, appOnly, listedClient, scopes, display, evidence } = identity
  assert.deepEqual([subject, kind, appOnly], ['project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1', 'workload', true])
  assert.deepEqual([listedClient, scopes, display, evidence.client], [true, undefined, 'my-group/my-project', '20'])
  const { project_path, project_id, namespace_id, ref, ref_type, environment, pipeline_source, user_login } = identity.claims
  assert.deepEqual([project_path, project_id, namespace_id], ['my-group/my-project', '20', '72'])
  assert.deepEqual([ref, ref_type, environment], ['feature-branch-1', 'branch', 'test-environment2'])
  assert.deepEqual([pipeline_source, user_login], ['push', 'sample-user'])
  assert.equal(identity.unknownClaims.size, 0)
})

test('GitLab’s truths are booleans here, and unknown where they are neither', async () => {
  const told = async (value: JsonObject[string]): Promise<unknown> => {
    const { claims, unknownClaims } = await identified(world.identities, token({ ref_protected: value }))
    return unknownClaims.has('ref_protected') ? 'unknown' : claims['ref_protected']
  }
  assert.deepEqual([await told('true'), await told('false'), await told(true)], [true, false, true])
  assert.deepEqual([await told('TRUE'), await told(1), await told('')], ['unknown', 'unknown', 'unknown'])
})

test('groups that GitLab leaves out because they are too many are unknown', async () => {
  const { unknownClaims } = await identified(world.identities, signToken(key, without(claims(), 'groups_direct')))
  assert.deepEqual([...unknownClaims], ['groups_direct'])
})

test('namespaces are accepted by id, or by path with what is below', async () => {
  for (const [namespace, id] of [
    ['renamed', '72'],
    ['named/group', '9'],
    ['NAMED/group/sub/sub', '9'],
  ] as const)
    assert.equal(await said(world.identities, token(of(namespace, id))), 'verified', namespace)
})

const cases: readonly (readonly [string, () => string, string])[] = [
  ['of somebody else', () => token(of('evil', '9')), 'tenant'],
  ['of the group around one that is listed', () => token(of('named', '9')), 'tenant'],
  ['of a group whose name begins like a listed one', () => token(of('named/group2', '9')), 'tenant'],
  ['of a group that has a listed one’s path further in', () => token(of('evil/named/group', '9')), 'tenant'],
  ['of a group that is called like a listed id', () => token(of('72', '9')), 'tenant'],
  ['of a subgroup of one that is listed by id', () => token(of('my-group/sub', '73')), 'tenant'],
  ['whose project is of another namespace', () => token({ project_path: 'evil/my-project' }), 'claim project_path'],
  ['whose namespace id is a number', () => token({ namespace_id: 72 }), 'claim namespace_id'],
  ['without project id', () => signToken(key, without(claims(), 'project_id')), 'claim project_id'],
  [
    'of a person who signs in with GitLab',
    () => signToken(key, { iss: world.fixture.origin, sub: '1', aud: AUDIENCE, ...times(world.now), nickname: 'sample-user' }),
    'claim project_path',
  ],
  ['without a job', () => signToken(key, without(claims(), 'job_id')), 'claim job_id'],
  ['without subject', () => signToken(key, without(claims(), 'sub')), 'claim sub'],
  ['for another audience', () => token({ aud: 'https://gitlab.example.com' }), 'audience'],
  ['that lives for two days', () => token(times(world.now, 172_800)), 'lifetime'],
  ['that has ended', () => token(times(world.now - 9_000_000)), 'expired'],
  ['of the issuer of the old CI_JOB_JWT', () => token({ iss: 'gitlab.com' }), 'issuer'],
  ['of another type', () => signToken(key, claims(), { typ: 'at+jwt' }), 'token-type'],
]

for (const [name, make, reason] of cases)
  test(`a token ${name} is refused: ${reason}`, async () => {
    assert.equal(await said(world.identities, make()), reason)
  })

test('an instance of one’s own may accept all of its projects', async () => {
  const of = gitlabClaims(instance.fixture.origin, AUDIENCE, instance.now, { namespace_id: '9' })
  assert.equal(await said(instance.identities, signToken(key, of)), 'verified')
})

test('whatever a job may say of itself, its namespace is one that is listed', async () => {
  const value = fc.oneof(
    fc.constantFrom('72', 'named/group', 'named/group/x', 'named', 'my-group', 'my-group/my-project', '', '/', 'constructor'),
    fc.string({ maxLength: 6 }),
    fc.jsonValue() as fc.Arbitrary<JsonObject[string]>,
  )
  await fc.assert(
    fc.asyncProperty(fc.record({ project_path: value, namespace_path: value, namespace_id: value }), async (more) => {
      const result = await said(world.identities, token(more))
      if (result !== 'verified') return assert.match(result, /^(claim \w+|tenant|malformed)$/)
      const { project_path: project, namespace_path: path, namespace_id: id } = more
      assert.ok(typeof path === 'string' && typeof project === 'string')
      assert.ok(id === '72' || /^named\/group(\/|$)/i.test(path))
      assert.ok(project.startsWith(`${path}/`))
    }),
    { numRuns: 150 },
  )
})

test('gitlab.com needs to be told whose projects', () => {
  const base = { kind: 'gitlab', audiences: [AUDIENCE] }
  assert.throws(() => issuerConfig(base), /anybody can have a project/)
  assert.throws(() => issuerConfig({ ...base, issuer: 'https://GITLAB.com' }), /anybody can have a project/)
  assert.throws(() => issuerConfig({ ...base, namespaces: [] }))
  assert.doesNotThrow(() => issuerConfig({ ...base, namespaces: ['72'] }))
  assert.doesNotThrow(() => issuerConfig({ ...base, issuer: 'https://gitlab.example' }))
})
