import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { ACCOUNT, AUDIENCE, openAwsWorld, presign, ROLE_KEY_ID, roleKey, USER_KEY_ID, userKey } from '../../identity/aws/testing.ts'
import { identified } from '../../identity/testing.ts'
import { main } from '../main.ts'
import { findAws } from './credentials.ts'
import { EMPTY_PAYLOAD, presignToken, signatureOf } from './sign.ts'

describe('Signature Version 4', () => {
  const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
  const date = '20150830T123600Z'
  const common = { method: 'GET', path: '/', payload: EMPTY_PAYLOAD, date, region: 'us-east-1' }

  test('get-vanilla of AWS’s test suite', () => {
    const headers = { host: 'example.amazonaws.com', 'x-amz-date': date }
    const signature = signatureOf(secret, { ...common, query: {}, headers, service: 'service' })
    assert.equal(signature, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31')
  })

  test('ListUsers of AWS’s general reference', () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', host: 'iam.amazonaws.com', 'x-amz-date': date }
    const query = { Version: '2010-05-08', Action: 'ListUsers' }
    const signature = signatureOf(secret, { ...common, query, headers, service: 'iam' })
    assert.equal(signature, '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7')
  })

  test('the presigned URL of the S3 reference', () => {
    const query = {
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request',
      'X-Amz-Date': '20130524T000000Z',
      'X-Amz-Expires': '86400',
      'X-Amz-SignedHeaders': 'host',
    }
    const signature = signatureOf('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', {
      ...common,
      path: '/test.txt',
      query,
      headers: { host: 'examplebucket.s3.amazonaws.com' },
      payload: 'UNSIGNED-PAYLOAD',
      date: '20130524T000000Z',
      service: 's3',
    })
    assert.equal(signature, 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404')
  })

  test('the AWS SDK signs the same, whatever is signed', async () => {
    const parameters = (url: string): object => Object.fromEntries(new URL(url).searchParams)
    const printable = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => /^[!-~]+$/.test(text))
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          secretAccessKey: printable,
          sessionToken: fc.option(fc.base64String({ minLength: 4, maxLength: 400 }), { nil: undefined }),
          audience: printable,
          expires: fc.integer({ min: 1, max: 900 }),
          now: fc.integer({ min: 1_500_000_000, max: 4_000_000_000 }).map((seconds) => seconds * 1000),
          region: fc.constantFrom('eu-central-1', 'us-gov-west-1'),
        }),
        async ({ secretAccessKey, sessionToken, audience, expires, now, region }) => {
          const credentials = { accessKeyId: USER_KEY_ID, secretAccessKey, sessionToken }
          const ours = presignToken({ credentials, region, audience, expires, now }).slice('ostiary-aws-v1.'.length)
          const host = `sts.${region}.amazonaws.com`
          const key = { ...userKey, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
          const theirs = await presign({ now, key, host, region, audience, expires })
          assert.deepEqual(parameters(Buffer.from(ours, 'base64url').toString()), parameters(theirs))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('what it signs, STS takes, and the gateway with it', async () => {
    const world = await openAwsWorld()
    try {
      const now = world.deps.clock.now()
      for (const region of ['eu-central-1', 'global']) {
        const credentials = { accessKeyId: ROLE_KEY_ID, secretAccessKey: roleKey.secretAccessKey, sessionToken: roleKey.sessionToken }
        const { subject } = await identified(world.gateway(), presignToken({ credentials, region, audience: AUDIENCE, now }))
        assert.equal(subject, `${ACCOUNT}/AROADBQP57FF2AEXAMPLE`)
      }
    } finally {
      await world.close()
    }
  })
})

describe('where AWS credentials come from', () => {
  let home: string
  before(() => {
    home = mkdtempSync(join(tmpdir(), 'ostiary-aws-'))
    mkdirSync(join(home, '.aws'))
    writeFileSync(
      join(home, '.aws/credentials'),
      '# keys\n[default]\naws_access_key_id = AKIADEFAULTEXAMPLE00\naws_secret_access_key=default/secret=\n\n' +
        '[deployer]\r\nAWS_ACCESS_KEY_ID=ASIADEPLOYEREXAMPLE0\r\naws_secret_access_key=deployer\r\naws_session_token=session==\r\n',
    )
    writeFileSync(
      join(home, '.aws/config'),
      '[default]\nregion = eu-central-1\ns3 =\n  region = us-west-2\n[profile deployer]\nregion=eu-west-1\n' +
        '[profile people]\nsso_session = company\nregion = eu-west-1\n[profile inline]\naws_access_key_id=AKIAINLINEEXAMPLE000\n' +
        'aws_secret_access_key=inline\nregion=us-east-1\n',
    )
  })
  after(() => rmSync(home, { recursive: true, force: true }))
  const find = (choice: Parameters<typeof findAws>[0] = {}, env: Record<string, string> = {}): string => {
    try {
      const { credentials, region } = findAws(choice, { HOME: home, ...env })
      return [credentials.accessKeyId, credentials.secretAccessKey, credentials.sessionToken ?? '-', region].join(' ')
    } catch (error) {
      return (error as { code: string; message: string }).message
    }
  }
  const env = { AWS_ACCESS_KEY_ID: 'AKIAENVEXAMPLE000000', AWS_SECRET_ACCESS_KEY: 'env' }

  test('the environment, then the profile, then the default one', () => {
    assert.equal(find({}, { ...env, AWS_REGION: 'us-east-2' }), 'AKIAENVEXAMPLE000000 env - us-east-2')
    assert.equal(find({}, { ...env, AWS_SESSION_TOKEN: 'token' }), 'AKIAENVEXAMPLE000000 env token eu-central-1')
    assert.equal(find(), 'AKIADEFAULTEXAMPLE00 default/secret= - eu-central-1')
    assert.equal(find({}, { AWS_PROFILE: 'deployer' }), 'ASIADEPLOYEREXAMPLE0 deployer session== eu-west-1')
    assert.equal(find({ profile: 'deployer', region: 'global' }, env), 'ASIADEPLOYEREXAMPLE0 deployer session== global')
    assert.equal(find({ profile: 'inline' }), 'AKIAINLINEEXAMPLE000 inline - us-east-1')
    assert.equal(find({}, { ...env, AWS_ACCESS_KEY_ID: '' }), 'AKIADEFAULTEXAMPLE00 default/secret= - eu-central-1')
  })

  test('what is missing is said', () => {
    assert.match(find({ profile: 'nobody' }), /no AWS credentials .* profile `nobody`/)
    assert.match(find({ profile: 'people' }), /AWS credentials from `sso_session` are not supported yet/)
    const container = { HOME: '/nowhere', AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials' }
    assert.match(find({}, container), /AWS credentials from `AWS_CONTAINER_CREDENTIALS_FULL_URI` are not supported yet/)
    assert.equal(find({}, { ...env, HOME: '/nowhere' }), 'there is no AWS region to sign for')
    assert.equal(find({ region: 'sts.example.com' }), 'there is no AWS region to sign for')
  })

  test('`ostiary token --aws` prints a token for curl; nothing of the secret', async () => {
    const { write } = process.stdout
    const { write: error } = process.stderr
    const before = { ...process.env }
    let out = ''
    const run = async (...args: string[]): Promise<number> => {
      out = ''
      process.stdout.write = process.stderr.write = (text: string | Uint8Array) => ((out += String(text)), true)
      try {
        return await main(['token', '--aws', ...args])
      } finally {
        process.stdout.write = write
        process.stderr.write = error
      }
    }
    for (const name of Object.keys(process.env)) if (/^(AWS_|OSTIARY_AUDIENCE$)/.test(name)) delete process.env[name]
    Object.assign(process.env, { ...env, HOME: home })
    try {
      assert.equal(await run('--audience', AUDIENCE), 0, out)
      const url = new URL(Buffer.from(out.trim().slice('ostiary-aws-v1.'.length), 'base64url').toString())
      assert.deepEqual([url.host, url.searchParams.get('X-Amz-Expires')], ['sts.eu-central-1.amazonaws.com', '900'])
      assert.equal(await run(), 2)
      assert.match(out, /--audience VALUE/)
      assert.equal(await run('--audience', AUDIENCE, '--profile', 'people'), 77)
      assert.match(out, /export-credentials --profile people --format env/)
    } finally {
      for (const name of Object.keys(env)) delete process.env[name]
      Object.assign(process.env, before)
    }
  })
})
