import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { AuthResult } from '../../core/credential.ts'
import { callerXml, errorXml, type Misbehaviour } from '../../testing/standin-sts.ts'
import { ask, identified, issuerConfig, said } from '../testing.ts'
import { stsLimits } from './sts.ts'
import { ACCOUNT, AUDIENCE, bearer, openAwsWorld, presign, ROLE_KEY_ID, roleKey, userKey, type AwsWorld, type Signing } from './testing.ts'

let world: AwsWorld

before(async () => (world = await openAwsWorld()))
after(() => world.close())
beforeEach(() => {
  world.sts.misbehave = undefined
  world.sts.requests.length = 0
  world.sts.keys.delete('ASIAOTHEREXAMPLE0000')
  world.deps.lines.length = 0
  // Each test signs at a time of its own, so that no two requests are the same.
  world.deps.clock.advance(1000)
})

const signed = async (more: Partial<Signing> = {}): Promise<string> => bearer(await presign({ now: world.deps.clock.now(), ...more }))
const asRole = { keyId: ROLE_KEY_ID, key: roleKey }

test('a user is who STS says', async () => {
  const { subject, kind, claims, appOnly, display, evidence, listedClient } = await identified(world.gateway(), await signed())
  assert.deepEqual(
    [subject, kind, appOnly, listedClient, display],
    [`${ACCOUNT}/AIDACKCEVSQ6C2EXAMPLE`, 'workload', true, false, 'publisher'],
  )
  assert.deepEqual(
    { ...claims },
    {
      arn: `arn:aws:iam::${ACCOUNT}:user/ci/publisher`,
      account: ACCOUNT,
      partition: 'aws',
      userId: 'AIDACKCEVSQ6C2EXAMPLE',
      uniqueId: 'AIDACKCEVSQ6C2EXAMPLE',
      principalType: 'user',
      user: 'publisher',
    },
  )
  const now = Math.floor(world.deps.clock.now() / 1000) * 1000
  assert.deepEqual(evidence, {
    credential: 'sigv4',
    issuerUrl: 'https://sts.eu-central-1.amazonaws.com',
    audience: AUDIENCE,
    client: `arn:aws:iam::${ACCOUNT}:user/ci/publisher`,
    tokenId: undefined,
    keyId: undefined,
    algorithm: 'AWS4-HMAC-SHA256',
    issuedAt: now,
    expiresAt: now + 900_000,
    sessionId: undefined,
  })
})

test('the subject of an assumed role is the role, whatever the session calls itself', async () => {
  const { subject, claims, display } = await identified(world.gateway(), await signed(asRole))
  assert.deepEqual([subject, display], [`${ACCOUNT}/AROADBQP57FF2AEXAMPLE`, 'deployer/build-17@example'])
  const { role, roleArn, sessionName, principalType, userId, uniqueId } = claims
  assert.deepEqual([role, roleArn, sessionName], ['deployer', `arn:aws:iam::${ACCOUNT}:role/deployer`, 'build-17@example'])
  assert.deepEqual([principalType, userId, uniqueId], ['assumed-role', roleKey.userId, 'AROADBQP57FF2AEXAMPLE'])
  assert.ok(!('user' in claims))
})

test('listed clients and agents are named by ARN, a role by its own', async () => {
  const roleArn = `arn:aws:iam::${ACCOUNT}:role/deployer`
  const identity = await identified(world.gateway({ clients: [roleArn], agents: [roleArn] }), await signed(asRole))
  assert.deepEqual([identity.listedClient, identity.kind], [true, 'agent'])
})

test('what reaches STS is the request that was signed, and no more', async () => {
  await identified(world.gateway(), await signed(asRole))
  const [{ url, headers } = { url: '', headers: {} }] = world.sts.requests
  assert.deepEqual([headers['host'], headers['x-ostiary-audience']], ['sts.eu-central-1.amazonaws.com', AUDIENCE])
  assert.ok(!('authorization' in headers) && !('cookie' in headers))
  assert.deepEqual(
    [...new URL(url, 'https://sts').searchParams.keys()],
    [
      'Action',
      'Version',
      'X-Amz-Algorithm',
      'X-Amz-Credential',
      'X-Amz-Date',
      'X-Amz-Expires',
      'X-Amz-Security-Token',
      'X-Amz-Signature',
      'X-Amz-SignedHeaders',
    ],
  )
})

test('a request for another gateway proves nothing here', async () => {
  assert.equal(await said(world.gateway(), await signed({ audience: 'payments.example.com' })), 'signature')
})

test('wrong secrets, unknown keys and session tokens of somebody else are signatures that are wrong', async () => {
  const gateway = world.gateway()
  assert.equal(await said(gateway, await signed({ key: { ...userKey, secretAccessKey: 'other' } })), 'signature')
  assert.equal(await said(gateway, await signed({ keyId: 'AKIAUNKNOWNEXAMPLE00' })), 'signature')
  assert.equal(await said(gateway, await signed({ keyId: ROLE_KEY_ID, key: { ...roleKey, sessionToken: 'b3RoZXI=' } })), 'signature')
})

test('global, China and GovCloud are asked at their own hosts and must answer for their own partition', async () => {
  const gateway = world.gateway()
  assert.equal(await said(gateway, await signed({ host: 'sts.amazonaws.com', region: 'us-east-1' })), 'verified')
  const china = { host: 'sts.cn-north-1.amazonaws.com.cn', region: 'cn-north-1' }
  assert.equal(await said(gateway, await signed(china)), 'unavailable provider')
  const key = { ...userKey, arn: `arn:aws-cn:iam::${ACCOUNT}:user/publisher` }
  world.sts.keys.set('ASIAOTHEREXAMPLE0000', key)
  const identity = await identified(gateway, await signed({ ...china, keyId: 'ASIAOTHEREXAMPLE0000', key }))
  assert.equal(identity.claims['partition'], 'aws-cn')
  const gov = { host: 'sts.us-gov-west-1.amazonaws.com', region: 'us-gov-west-1' }
  assert.equal(await said(gateway, await signed({ ...gov, keyId: 'ASIAOTHEREXAMPLE0000', key })), 'unavailable provider')
})

test('another account is refused, and so is root unless it is allowed', async () => {
  const gateway = world.gateway()
  const use = async (caller: { arn: string; userId: string; account: string }, at = gateway): Promise<string> => {
    world.sts.keys.set('ASIAOTHEREXAMPLE0000', { ...caller, secretAccessKey: 'secret' })
    world.deps.clock.advance(1000)
    return said(at, await signed({ keyId: 'ASIAOTHEREXAMPLE0000', key: { ...caller, secretAccessKey: 'secret' } }))
  }
  const elsewhere = '210987654321'
  assert.equal(await use({ arn: `arn:aws:iam::${elsewhere}:user/publisher`, userId: 'AIDAELSEWHEREEXAMPLE', account: elsewhere }), 'tenant')
  const root = { arn: `arn:aws:iam::${ACCOUNT}:root`, userId: ACCOUNT, account: ACCOUNT }
  assert.equal(await use(root), 'claim principalType')
  assert.equal(await use(root, world.gateway({ allowRoot: true })), 'verified')
  const federated = { arn: `arn:aws:sts::${ACCOUNT}:federated-user/reader`, userId: `${ACCOUNT}:reader`, account: ACCOUNT }
  assert.equal(await use(federated), 'verified')
})

test('one question for one token, however many ask at once, and none once it is known', async () => {
  const gateway = world.gateway()
  const token = await signed()
  const answers = await Promise.all(Array.from({ length: 50 }, async () => ask(gateway, token)))
  assert.equal(world.sts.requests.length, 1)
  assert.equal(new Set(answers.map((answer) => (answer as Extract<AuthResult, { outcome: 'verified' }>).verified)).size, 1)
  assert.ok(!(ask(gateway, token) instanceof Promise))
  assert.equal(world.sts.requests.length, 1)
})

test('a token ends with what it asked for, or with maxAge, whichever comes first', async () => {
  const gateway = world.gateway({ maxAge: '5m' })
  const short = await signed({ expires: 60 })
  const long = await signed()
  assert.deepEqual([await said(gateway, short), await said(gateway, long)], ['verified', 'verified'])
  world.deps.clock.advance(59_999)
  assert.equal(await said(gateway, short), 'verified')
  world.deps.clock.advance(1)
  assert.deepEqual([await said(gateway, short), await said(gateway, long)], ['expired', 'verified'])
  world.deps.clock.advance(240_000)
  assert.equal(await said(gateway, long), 'expired')
  assert.equal(world.sts.requests.length, 2)
})

const misbehaviours: Readonly<Record<string, readonly [Misbehaviour, string, string?]>> = {
  'is down': ['drop', 'unavailable provider', 'no connection'],
  'answers 500': [{ status: 500, body: errorXml('InternalFailure', 'x') }, 'unavailable provider', 'it answered 500'],
  'answers 503 with HTML': [
    { status: 503, body: '<html><body>Service Unavailable</body></html>' },
    'unavailable provider',
    'it answered 503',
  ],
  'throttles with 400': [{ status: 400, body: errorXml('Throttling', 'Rate exceeded') }, 'unavailable provider', 'it answered 400'],
  'throttles with 403': [{ status: 403, body: errorXml('Throttling', 'Rate exceeded') }, 'unavailable provider', 'it answered 403'],
  'throttles with 429': [{ status: 429, body: '' }, 'unavailable provider', 'it answered 429'],
  'is a proxy that refuses': [{ status: 403, body: '<html>blocked</html>' }, 'unavailable provider', 'it answered 403'],
  'answers HTML with 200': [
    { status: 200, body: '<html><body>Sign in</body></html>' },
    'unavailable provider',
    'an answer that is not understood',
  ],
  'answers half': [{ status: 200, body: callerXml(userKey).slice(0, 200) }, 'unavailable provider', 'an answer that is not understood'],
  'answers nothing': [{ status: 200, body: '' }, 'unavailable provider', 'an answer that is not understood'],
  'answers JSON': [{ status: 200, body: '{"GetCallerIdentityResponse":{}}' }, 'unavailable provider', 'an answer that is not understood'],
  'answers another namespace': [
    { status: 200, body: callerXml(userKey).replace('2011-06-15', '2012-06-15') },
    'unavailable provider',
    'an answer that is not understood',
  ],
  'answers two accounts': [
    { status: 200, body: callerXml(userKey).replace('<Account>', '<Account>000000000000</Account><Account>') },
    'unavailable provider',
    'an answer that is not understood',
  ],
  'answers an account that the ARN is not of': [
    { status: 200, body: callerXml({ ...userKey, account: '000000000000' }) },
    'unavailable provider',
    'an answer that is not understood',
  ],
  'answers more than the limit': [
    { status: 200, body: callerXml(userKey) + ' '.repeat(stsLimits.maxBytes) },
    'unavailable provider',
    'an answer larger than 16384 bytes',
  ],
  redirects: [
    { status: 302, body: callerXml(userKey), headers: { location: 'http://127.0.0.1:9/' } },
    'unavailable provider',
    'it answered 302',
  ],
  'answers 201': [{ status: 201, body: callerXml(userKey) }, 'unavailable provider', 'it answered 201'],
  'says that the signature is wrong': [{ status: 403, body: errorXml('SignatureDoesNotMatch', 'no match') }, 'signature'],
  'says that the request is incomplete': [{ status: 400, body: errorXml('IncompleteSignature', 'x') }, 'signature'],
  'says that the signature is too old': [
    { status: 403, body: errorXml('SignatureDoesNotMatch', 'Signature expired: 20260101T000000Z is now earlier than …') },
    'expired',
  ],
  'says that the session token is too old': [{ status: 403, body: errorXml('ExpiredToken', 'x') }, 'expired'],
}
for (const [what, [misbehaviour, expected, detail]] of Object.entries(misbehaviours)) {
  test(`STS ${what}: ${expected}`, async () => {
    world.sts.misbehave = misbehaviour
    const gateway = world.gateway()
    const token = await signed()
    assert.equal(await said(gateway, token), expected)
    assert.equal(world.sts.requests.length, 1, 'asked once, and nothing followed')
    assert.deepEqual(world.deps.lines, detail === undefined ? [] : [`issuer aws: STS can not be asked: ${detail}`])
    world.sts.misbehave = undefined
    if (detail !== undefined) assert.equal(await said(gateway, token), 'verified', 'the next time is a new time')
  })
}

test('an STS that does not answer is waited for so long, and by so many', async () => {
  const gateway = world.gateway()
  world.sts.misbehave = 'hang'
  const tokens = await Promise.all(Array.from({ length: stsLimits.concurrent + 1 }, (_, i) => signed({ expires: 100 + i })))
  const last = tokens.pop()!
  const waiting = tokens.map((token) => said(gateway, token))
  assert.equal(await said(gateway, last), 'unavailable overloaded')
  world.deps.clock.advance(stsLimits.timeout)
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['unavailable provider']))
  assert.deepEqual(world.deps.lines, [
    'issuer aws: STS can not be asked: too many requests under way',
    `issuer aws: STS can not be asked: no answer within ${stsLimits.timeout} ms`,
  ])
  world.sts.misbehave = undefined
  assert.equal(await said(gateway, last), 'verified')
})

test('nothing of a request is ever logged or recorded', async () => {
  const gateway = world.gateway()
  const tokens = [await signed(asRole), await signed({ audience: 'elsewhere' }), await signed({ host: 'sts.example.com' })]
  const answers = [await ask(gateway, tokens[0]!), await ask(gateway, tokens[1]!), await ask(gateway, tokens[2]!)]
  world.sts.misbehave = 'drop'
  world.deps.clock.advance(1000)
  answers.push(await ask(gateway, await signed(asRole)))
  const told = JSON.stringify(answers) + world.deps.lines.join('\n') + JSON.stringify(gateway.status())
  for (const secret of [ROLE_KEY_ID, roleKey.sessionToken!, 'X-Amz-Signature', ...tokens.map((token) => token.slice(-40))])
    assert.ok(!told.includes(secret), secret)
})

test('sign-in is not what it is for', async () => {
  const [issuer] = world.gateway().issuers
  assert.equal(issuer!.signIn, undefined)
  await assert.rejects(issuer!.metadata(), { code: 'identity/provider-unavailable' })
  assert.deepEqual(await issuer!.verifyIdToken('x', { clientId: 'x', nonce: 'x' }), { outcome: 'rejected', reason: 'token-type' })
  assert.deepEqual([issuer!.owns('https://sts.amazonaws.com'), issuer!.status().ready], [false, true])
})

test('configuration that would believe too much is refused', () => {
  const good = { kind: 'aws-iam', audiences: [AUDIENCE], accounts: [ACCOUNT], regions: ['eu-central-1'] }
  assert.ok(issuerConfig(good))
  for (const bad of [
    { accounts: [] },
    { accounts: undefined },
    { accounts: [123456789012] },
    { accounts: ['12345678901'] },
    { audiences: ['a', 'b'] },
    { audiences: ['a b'] },
    { audiences: [] },
    { regions: [] },
    { regions: ['sts.example.com'] },
    { regions: ['eu-central-1.evil'] },
    { maxAge: '16m' },
    { maxAge: '0s' },
    { endpoint: 'http://sts.example.com' },
    { endpoint: 'https://user:pass@sts.example.com' },
    { endpoint: 'https://sts.example.com/path' },
  ])
    assert.throws(() => issuerConfig({ ...good, ...bad }), JSON.stringify(bad))
})
