/** Client certificates: who they are of, and what about them is refused. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { AuthResult } from '../../core/credential.ts'
import { certifiedBy, testAuthority, type Leaf, type Pair } from '../../testing/pki.ts'
import { readSpiffeId } from '../spiffe/id.ts'
import type { Identities } from '../index.ts'
import { issuerConfig, tell, testDeps, testIdentity, type TestDeps } from '../testing.ts'
import { LOOK_MS } from '../filelist.ts'

let deps: TestDeps
let identities: Identities
let staff: Pair
let mesh: Pair
let stranger: Pair
let issuing: Pair

before(async () => {
  deps = testDeps()
  staff = await testAuthority('staff')
  mesh = await testAuthority('mesh')
  stranger = await testAuthority('stranger')
  issuing = await certifiedBy(mesh, { subject: 'CN=issuing', authority: true })
  writeFileSync(join(deps.folder, 'staff.pem'), staff.cert)
  writeFileSync(join(deps.folder, 'mesh.pem'), mesh.cert)
  identities = testIdentity(
    {
      staff: { kind: 'mtls', ca: 'staff.pem', subject: 'email', principal: 'human' },
      mesh: { kind: 'spiffe', ca: 'mesh.pem', trustDomain: 'example.org', clients: ['spiffe://example.org/ns/shop/sa/web'] },
    },
    deps,
  )
})
after(async () => {
  await identities.close()
  deps.remove()
})

function present(chain: readonly (Pair | Uint8Array)[], trusted = true): Promise<AuthResult> {
  const [leaf] = chain
  const certificate = {
    thumbprint: leaf !== undefined && 'thumbprint' in leaf ? leaf.thumbprint : 'none',
    trusted,
    chain: chain.map((one) => ('der' in one ? one.der : one)),
  }
  const at = { source: '192.0.2.1', time: 0, resource: 'orders' }
  return Promise.resolve(identities.authenticator.authenticate({ kind: 'certificate', certificate }, at))
}

const said = async (...chain: (Pair | Uint8Array)[]): Promise<string> => tell(await present(chain))
const url = (value: string): Leaf => ({ names: [{ type: 'url', value }] })
const email = (value: string): Leaf => ({ names: [{ type: 'email', value }] })

describe('a client certificate', () => {
  test('of a SPIFFE trust domain is its workload, over an authority in between', async () => {
    const svid = await certifiedBy(issuing, url('spiffe://example.org/ns/shop/sa/web'))
    const result = await present([svid, issuing])
    assert.ok(result.outcome === 'verified', tell(result))
    const { issuer, subject, kind, appOnly, listedClient, claims, evidence } = result.verified.identity
    assert.deepEqual(
      [issuer, subject, kind, appOnly, listedClient],
      ['mesh', 'spiffe://example.org/ns/shop/sa/web', 'workload', true, true],
    )
    assert.deepEqual(
      { ...claims },
      { sub: subject, trustDomain: 'example.org', path: '/ns/shop/sa/web', segments: ['ns', 'shop', 'sa', 'web'] },
    )
    assert.deepEqual([evidence.credential, evidence.issuerUrl], ['certificate', 'spiffe://example.org'])
    assert.deepEqual(evidence.confirmation, { method: 'mtls', thumbprint: svid.thumbprint })
    assert.equal(result.verified.expiresAt, Date.UTC(2049, 0, 1))
  })

  test('of a private authority is who its one name says, with its names as claims', async () => {
    const one = await certifiedBy(staff, { subject: 'CN=Reader One, OU=Platform, O=Example', ...email('reader@example.com') })
    const result = await present([one, staff])
    assert.ok(result.outcome === 'verified', tell(result))
    const { issuer, subject, kind, claims, evidence } = result.verified.identity
    assert.deepEqual([issuer, subject, kind, evidence.issuerUrl], ['staff', 'reader@example.com', 'human', 'CN=staff'])
    assert.deepEqual(
      [claims['cn'], claims['ou'], claims['o'], claims['emails']],
      [['Reader One'], ['Platform'], ['Example'], ['reader@example.com']],
    )
    assert.match(String(claims['thumbprint']), /^[0-9a-f]{64}$/)
  })

  const refused: readonly (readonly [string, () => Promise<readonly (Pair | Uint8Array)[]>, string])[] = [
    ['of a stranger', async () => [await certifiedBy(stranger, email('reader@example.com')), stranger], 'certificate'],
    ['of its own', async () => [await testAuthority('self', { authority: false, ...email('reader@example.com') })], 'certificate'],
    ['that is an authority', async () => [await certifiedBy(staff, { authority: true, ...email('reader@example.com') })], 'certificate'],
    [
      'that has ended',
      async () => [await certifiedBy(staff, { until: Date.UTC(2025, 0, 1), ...email('reader@example.com') })],
      'certificate',
    ],
    [
      'that is not good yet',
      async () => [await certifiedBy(staff, { from: Date.UTC(2048, 0, 1), ...email('reader@example.com') })],
      'certificate',
    ],
    ['whose authority in between is missing', async () => [await certifiedBy(issuing, url('spiffe://example.org/a'))], 'certificate'],
    [
      'whose authority in between may not vouch',
      async () => {
        const leaf = await certifiedBy(mesh, url('spiffe://example.org/a'))
        return [await certifiedBy(leaf, url('spiffe://example.org/admin')), leaf]
      },
      'certificate',
    ],
    [
      'whose authority in between is only named like one',
      async () => {
        const fake = await testAuthority('issuing')
        return [await certifiedBy(fake, url('spiffe://example.org/a')), issuing, mesh]
      },
      'certificate',
    ],
    ['without a name', async () => [await certifiedBy(staff, { subject: 'CN=x' })], 'certificate email'],
    [
      'with two names',
      async () => [
        await certifiedBy(staff, {
          names: [
            { type: 'email', value: 'reader@example.com' },
            { type: 'email', value: 'admin@example.com' },
          ],
        }),
      ],
      'certificate email',
    ],
    [
      'with a name that could be two',
      async () => [await certifiedBy(staff, email('reader@example.com, email:admin@example.com'))],
      'certificate subjectAltName',
    ],
    ['of another trust domain', async () => [await certifiedBy(mesh, url('spiffe://other.org/ns/shop/sa/web'))], 'certificate uri'],
    ['of the trust domain itself', async () => [await certifiedBy(mesh, url('spiffe://example.org'))], 'certificate uri'],
    ['with a path that leads elsewhere', async () => [await certifiedBy(mesh, url('spiffe://example.org/ns/../admin'))], 'certificate uri'],
    ['with another URI', async () => [await certifiedBy(mesh, url('https://example.org/a'))], 'certificate uri'],
    [
      'with two ids',
      async () => [
        await certifiedBy(mesh, {
          names: [
            { type: 'url', value: 'spiffe://example.org/a' },
            { type: 'url', value: 'spiffe://example.org/admin' },
          ],
        }),
      ],
      'certificate uri',
    ],
    ['that is none', () => Promise.resolve([Buffer.from('not a certificate')]), 'certificate'],
    ['that is not there', () => Promise.resolve([]), 'certificate'],
  ]
  for (const [name, make, reason] of refused)
    test(`${name} is refused: ${reason}`, async () => {
      assert.equal(await said(...(await make())), reason)
    })

  test('that the handshake did not find good is refused, whatever it was before', async () => {
    const one = await certifiedBy(staff, email('publisher@example.com'))
    assert.equal(await said(one), 'verified')
    assert.equal(tell(await present([one], false)), 'certificate')
    assert.equal(await said(one), 'verified')
  })

  test('no bytes make reading it throw', async () => {
    const one = await certifiedBy(staff, email('auditor@example.com'))
    await fc.assert(
      fc.asyncProperty(fc.nat(one.der.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const changed = Buffer.from(one.der)
        changed[at] = changed[at]! ^ by
        assert.match(await said(changed), /^certificate/)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the authorities', () => {
  test('are read anew; what one vouched for that is gone ends, and what can not be read changes nothing', async () => {
    const one = await certifiedBy(staff, email('leaving@example.com'))
    const result = await present([one])
    assert.ok(result.outcome === 'verified')
    const file = join(deps.folder, 'staff.pem')
    writeFileSync(file, 'nothing')
    deps.clock.advance(LOOK_MS)
    assert.equal(result.verified.revoked, false)
    assert.equal(identities.status()['staff']!.detail, '1 authority; staff.pem: there is no certificate in it')
    writeFileSync(file, one.cert)
    deps.clock.advance(LOOK_MS)
    assert.match(identities.status()['staff']!.detail, /is not of an authority$/)
    writeFileSync(file, stranger.cert)
    deps.clock.advance(LOOK_MS)
    assert.equal(result.verified.revoked, true)
    assert.equal(await said(one), 'certificate')
    assert.equal(identities.status()['staff']!.detail, '1 authority')
    writeFileSync(file, staff.cert + stranger.cert)
    deps.clock.advance(LOOK_MS)
    assert.equal(await said(one), 'verified')
  })
})

test('a SPIFFE ID is one, or none', () => {
  for (const good of ['spiffe://example.org/a', 'spiffe://example.org', 'spiffe://a-b_c.1/x/y.z/...'])
    assert.notEqual(readSpiffeId(good), undefined, good)
  for (const bad of [
    '',
    'spiffe://',
    'spiffe:///a',
    'SPIFFE://example.org/a',
    'spiffe://Example.org/a',
    'spiffe://example.org/',
    'spiffe://example.org//a',
    'spiffe://example.org/a/',
    'spiffe://example.org/./a',
    'spiffe://example.org/a/..',
    'spiffe://example.org:80/a',
    'spiffe://user@example.org/a',
    'spiffe://example.org/a?b',
    'spiffe://example.org/a#b',
    'spiffe://example.org/%61',
    'spiffe://example.org/\u00e4',
    `spiffe://example.org/${'a'.repeat(2048)}`,
  ])
    assert.equal(readSpiffeId(bad), undefined, bad)
})

test('what has to be said has to be said', () => {
  const base = { kind: 'mtls', ca: 'ca.pem', subject: 'dns' }
  assert.doesNotThrow(() => issuerConfig(base))
  for (const wrong of [{ ca: undefined }, { subject: undefined }, { subject: 'serial' }, { audiences: ['x'] }])
    assert.throws(() => issuerConfig({ ...base, ...wrong }), JSON.stringify(wrong))
  const domain = { kind: 'spiffe', ca: 'ca.pem', trustDomain: 'example.org' }
  assert.doesNotThrow(() => issuerConfig(domain))
  for (const trustDomain of ['', 'spiffe://example.org', 'Example.org', 'example.org/a'])
    assert.throws(() => issuerConfig({ ...domain, trustDomain }))
})
