/** Certificates of OpenSSH: who they are of, and what about them or what is signed with them is refused. */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import {
  mpint,
  standinCertificate,
  standinKey,
  standinSshMessage,
  standinSshSig,
  standinSshToken,
  str,
  u32,
  u64,
  type StandinCertificate,
  type StandinKey,
  type StandinKind,
  type StandinSshSig,
} from '../../testing/standin-ssh.ts'
import { LOOK_MS } from '../filelist.ts'
import type { Identities } from '../index.ts'
import { ask, identified, issuerConfig, said, testDeps, testIdentity, type TestDeps } from '../testing.ts'
import { readPublicBlob } from './keys.ts'
import { readKrl } from './krl.ts'
import { refused } from '../jose/refusal.ts'

const AUDIENCE = 'orders.example.com'
const ca = standinKey('ed25519')
const stranger = standinKey('ed25519')
const caller = standinKey('ed25519')
const fido = standinKey('sk-ed25519')
const short = standinKey('rsa', { bits: 1024 })
const rsa = standinKey('rsa')

let deps: TestDeps
let gateway: Identities
const open: Identities[] = []

function configured(more: Readonly<Record<string, unknown>> = {}): Identities {
  const config = { kind: 'ssh', audiences: [AUDIENCE, 'spare.example.com'], authorities: 'cas', subject: 'principal', ...more }
  const identities = testIdentity({ people: config }, deps, { cold: { rate: 1e6, burst: 1e6, sources: 10 } })
  open.push(identities)
  return identities
}

before(() => {
  deps = testDeps()
  writeFileSync(join(deps.folder, 'cas'), ca.line)
  gateway = configured()
})
// Each test signs at a time of its own, so that no two tokens are the same.
beforeEach(() => deps.clock.advance(1000))
after(async () => {
  for (const identities of open) await identities.close()
  deps.remove()
})

interface Made {
  readonly certificate?: Partial<StandinCertificate>
  readonly sig?: Partial<StandinSshSig>
  /** Milliseconds before now at which it is signed. */
  readonly age?: number
  readonly audience?: string
  readonly message?: (good: string) => string
  /** Signed in place of the message that is sent. */
  readonly signed?: string
  readonly trailing?: string
}

function make({ certificate = {}, sig = {}, age = 0, audience = AUDIENCE, message = (good) => good, signed, trailing }: Made = {}): string {
  const key = certificate.key ?? caller
  const text = message(standinSshMessage(audience, deps.clock.now() - age))
  const blob = standinCertificate({ by: ca, key, ...certificate })
  return standinSshToken(blob, text, standinSshSig({ key, message: signed ?? text, ...sig }), trailing)
}

const seconds = (offset: number): bigint => BigInt(Math.floor(deps.clock.now() / 1000) + offset)

test('a person is who the one principal says, with what the certificate says as claims', async () => {
  const token = make({
    certificate: {
      extensions: [
        ['login@example.com', 'one'],
        ['permit-pty', ''],
      ],
      serial: 2n ** 64n - 1n,
    },
  })
  const { subject, kind, claims, appOnly, display, evidence, listedClient } = await identified(gateway, token)
  assert.deepEqual([subject, kind, appOnly, listedClient, display], ['reader', 'human', false, false, 'reader-key'])
  assert.deepEqual(
    { ...claims },
    {
      sub: 'reader',
      keyId: 'reader-key',
      principals: ['reader'],
      serial: '18446744073709551615',
      fingerprint: caller.fingerprint,
      caFingerprint: ca.fingerprint,
      extensions: ['login@example.com', 'permit-pty'],
    },
  )
  const issuedAt = Math.floor(deps.clock.now() / 1000) * 1000
  assert.deepEqual(evidence, {
    credential: 'ssh',
    issuerUrl: ca.fingerprint,
    audience: AUDIENCE,
    client: undefined,
    tokenId: caller.fingerprint,
    keyId: ca.fingerprint,
    algorithm: 'ssh-ed25519',
    issuedAt,
    expiresAt: issuedAt + 300_000,
    sessionId: undefined,
  })
})

test('workloads, listed clients and agents are named by their subject', async () => {
  const workloads = configured({ principal: 'workload', subject: 'keyId', clients: ['reader-key'] })
  const { subject, kind, appOnly, listedClient, evidence } = await identified(workloads, make())
  assert.deepEqual([subject, kind, appOnly, listedClient, evidence.client], ['reader-key', 'workload', true, true, 'reader-key'])
  assert.equal((await identified(configured({ agents: ['reader'] }), make())).kind, 'agent')
})

test('only principals that count are told of, and one has to be left', async () => {
  const listed = configured({ principals: ['reader', 'publisher'] })
  const token = (...principals: string[]): string => make({ certificate: { principals } })
  assert.equal((await identified(listed, token('admin', 'reader'))).subject, 'reader')
  assert.deepEqual((await identified(listed, token('admin', 'reader'))).claims['principals'], ['reader'])
  assert.equal(await said(listed, token('admin')), 'certificate principals')
  assert.equal(await said(listed, token('reader', 'publisher')), 'certificate principals')
  const byKeyId = configured({ principals: ['reader', 'publisher'], subject: 'keyId' })
  assert.deepEqual((await identified(byKeyId, token('reader', 'publisher', 'admin'))).claims['principals'], ['reader', 'publisher'])
  assert.equal(await said(byKeyId, token('admin')), 'certificate principals')
  assert.equal(await said(byKeyId, make({ certificate: { keyId: '' } })), 'certificate keyId')
  const unnamed = await identified(listed, make({ certificate: { keyId: '' } }))
  assert.deepEqual([unnamed.subject, unnamed.display, unnamed.claims['keyId']], ['reader', 'reader', ''])
})

describe('kinds of keys', () => {
  const kinds: readonly StandinKind[] = ['ed25519', 'p256', 'p384', 'p521', 'rsa', 'sk-ed25519', 'sk-p256']
  for (const kind of kinds)
    test(`a caller with ${kind}`, async () => {
      const key = kind === 'rsa' ? rsa : standinKey(kind)
      // Half of all ECDSA signatures have a number with a sign bit, and some are short.
      for (let round = 0; round < 8; round++) {
        deps.clock.advance(1000)
        const { claims } = await identified(gateway, make({ certificate: { key } }))
        assert.equal(claims['fingerprint'], key.fingerprint)
      }
    })
  for (const kind of ['p256', 'p384', 'p521', 'rsa'] as const)
    test(`an authority with ${kind}`, async () => {
      const by = kind === 'rsa' ? rsa : standinKey(kind)
      writeFileSync(join(deps.folder, kind), by.line)
      assert.equal(await said(configured({ authorities: kind }), make({ certificate: { by } })), 'verified')
    })
  test('rsa-sha2-256 and SHA-256 in the signature', async () => {
    const made = { certificate: { key: rsa }, sig: { signing: { algorithm: 'rsa-sha2-256' }, hash: 'sha256' } }
    const { evidence } = await identified(gateway, make(made))
    assert.equal(evidence.algorithm, 'rsa-sha2-256')
  })
  test('ssh-keygen writes the certificate in place of the key, where it signs with one', async () => {
    const blob = standinCertificate({ by: ca, key: caller })
    assert.equal(await said(gateway, make({ sig: { publicKey: blob } })), 'verified')
  })
})

const rows: readonly (readonly [what: string, made: () => Made | string, expected: string])[] = [
  // The certificate.
  ['a host’s certificate', () => ({ certificate: { kind: 2 } }), 'certificate type'],
  ['a certificate of no known kind', () => ({ certificate: { kind: 3 } }), 'malformed'],
  ['a certificate without principals', () => ({ certificate: { principals: [] } }), 'certificate principals'],
  ['an empty principal', () => ({ certificate: { principals: ['reader', ''] } }), 'certificate principals'],
  ['a principal with a line break', () => ({ certificate: { principals: ['reader\nadmin'] } }), 'certificate principals'],
  ['a principal with a NUL', () => ({ certificate: { principals: ['reader\0'] } }), 'certificate principals'],
  ['a principal that is no UTF-8', () => ({ certificate: { principals: [Buffer.of(0xff)] } }), 'certificate principals'],
  ['a principal that turns the text around', () => ({ certificate: { principals: ['\u202ereader'] } }), 'certificate principals'],
  ['two principals where one is the subject', () => ({ certificate: { principals: ['reader', 'admin'] } }), 'certificate principals'],
  ['too many principals', () => ({ certificate: { principals: Array.from({ length: 257 }, (_, i) => `p${i}`) } }), 'too-large'],
  ['a key id with a control character', () => ({ certificate: { keyId: 'a\u001b[2J' } }), 'certificate keyId'],
  ['a key id beyond any length', () => ({ certificate: { keyId: 'a'.repeat(1025) } }), 'certificate keyId'],
  ['something in the reserved field', () => ({ certificate: { reserved: 'x' } }), 'malformed'],
  ['bytes after the certificate', () => ({ certificate: { trailing: 'x' } }), 'malformed'],
  ['a certificate of another version', () => ({ certificate: { certificateType: 'ssh-ed25519-cert-v00@openssh.com' } }), 'token-type'],
  ['a DSA certificate', () => ({ certificate: { certificateType: 'ssh-dss-cert-v01@openssh.com' } }), 'token-type'],
  ['a key alone', () => standinSshToken(caller.blob, message(), standinSshSig({ key: caller, message: message() })), 'token-type'],
  ['a certificate’s type with another key', () => ({ certificate: { certificateType: rsa.certificateType } }), 'malformed'],
  ['an RSA key of 1024 bits', () => ({ certificate: { key: short } }), 'algorithm'],
  // Who vouches for it.
  ['an authority that isn’t listed', () => ({ certificate: { by: stranger } }), 'unknown-key'],
  ['a certificate by itself', () => ({ certificate: { by: caller } }), 'unknown-key'],
  ['a listed authority’s name on another’s signature', () => ({ certificate: { signer: stranger } }), 'certificate signature'],
  // Its time.
  ['a certificate that has ended', () => ({ certificate: { validBefore: seconds(0) } }), 'expired'],
  ['a certificate that isn’t good yet', () => ({ certificate: { validAfter: seconds(32) } }), 'not-yet-valid'],
  ['a certificate that begins beyond any calendar', () => ({ certificate: { validAfter: 2n ** 64n - 2n } }), 'not-yet-valid'],
  // What it says with force.
  ['a command', () => ({ certificate: { criticalOptions: [['force-command', '/bin/true']] } }), 'certificate force-command'],
  ['addresses', () => ({ certificate: { criticalOptions: [['source-address', '192.0.2.0/24']] } }), 'certificate source-address'],
  ['an option that nobody knows', () => ({ certificate: { criticalOptions: [['x@example.com', '']] } }), 'certificate criticalOptions'],
  [
    'verify-required of a key in a file',
    () => ({ certificate: { criticalOptions: [['verify-required', '']] } }),
    'certificate verify-required',
  ],
  [
    'verify-required with a value',
    () => ({ certificate: { key: fido, criticalOptions: [['verify-required', 'no']] }, sig: { signing: { flags: 5 } } }),
    'certificate verify-required',
  ],
  [
    'verify-required and only a touch',
    () => ({ certificate: { key: fido, criticalOptions: [['verify-required', '']] } }),
    'certificate verify-required',
  ],
  ['no touch', () => ({ certificate: { key: fido }, sig: { signing: { flags: 0 } } }), 'certificate presence'],
  [
    'an option twice',
    () => ({
      certificate: {
        criticalOptions: [
          ['verify-required', ''],
          ['verify-required', ''],
        ],
      },
    }),
    'malformed',
  ],
  [
    'options out of order',
    () => ({
      certificate: {
        criticalOptions: [
          ['verify-required', ''],
          ['force-command', ''],
        ],
      },
    }),
    'malformed',
  ],
  [
    'an extension twice',
    () => ({
      certificate: {
        extensions: [
          ['permit-pty', ''],
          ['permit-pty', ''],
        ],
      },
    }),
    'malformed',
  ],
  // The signature over the message.
  ['the signature of somebody else', () => ({ sig: { key: stranger } }), 'key-issuer'],
  ['the signature of somebody else under the caller’s key', () => ({ sig: { key: stranger, publicKey: caller.blob } }), 'signature'],
  ['a signature over another message', () => ({ signed: 'x' }), 'signature'],
  ['a signature for another purpose', () => ({ sig: { namespace: 'git' } }), 'token-type'],
  ['a signature for no purpose', () => ({ sig: { namespace: '' } }), 'token-type'],
  ['a signature over SHA-1', () => ({ sig: { hash: 'sha1' } }), 'algorithm'],
  ['an RSA signature over SHA-1', () => ({ certificate: { key: rsa }, sig: { signing: { algorithm: 'ssh-rsa' } } }), 'algorithm'],
  ['an algorithm of another key', () => ({ sig: { signing: { algorithm: 'ecdsa-sha2-nistp256' } } }), 'algorithm'],
  ['something reserved in the signature', () => ({ sig: { reserved: 'x' } }), 'malformed'],
  ['another version of the signature', () => ({ sig: { version: 2 } }), 'malformed'],
  ['bytes within the signature', () => ({ sig: { signing: { trailing: 'x' } } }), 'malformed'],
  ['bytes within the authority’s signature', () => ({ certificate: { signing: { trailing: 'x' } } }), 'malformed'],
  ['bytes after the signature', () => ({ sig: { trailing: 'x' } }), 'malformed'],
  [
    'another certificate of the same key',
    () => ({ sig: { publicKey: standinCertificate({ by: ca, key: caller, serial: 8n }) } }),
    'key-issuer',
  ],
  // The message and the token.
  ['another gateway', () => ({ audience: 'payments.example.com' }), 'audience'],
  ['a token from the future', () => ({ age: -31_001 }), 'issued-in-future'],
  ['a token beyond its age', () => ({ age: 300_000 }), 'expired'],
  ['a message with another first line', () => ({ message: (good) => good.replace('v1', 'v2') }), 'malformed'],
  ['a message without its last line break', () => ({ message: (good) => good.slice(0, -1) }), 'malformed'],
  ['a message with more', () => ({ message: (good) => `${good}x\n` }), 'malformed'],
  ['a message with two audiences', () => ({ message: (good) => good.replace('issued', 'audience x\nissued') }), 'malformed'],
  ['a message with CR LF', () => ({ message: (good) => good.replaceAll('\n', '\r\n') }), 'malformed'],
  ['a time with zeros before it', () => ({ message: (good) => good.replace('issued ', 'issued 0') }), 'malformed'],
  ['a nonce that is short', () => ({ message: (good) => good.replace('AA\n', '\n') }), 'malformed'],
  ['a nonce in another form', () => ({ message: (good) => good.replace('A\n', 'B\n') }), 'malformed'],
  ['bytes after the parts', () => ({ trailing: 'x' }), 'malformed'],
  ['nothing', () => 'ostiary-ssh.', 'malformed'],
  ['padding', () => `${make()}=`, 'malformed'],
  ['the prefix alone', () => 'ostiary-ssh', 'malformed'],
]
const message = (): string => standinSshMessage(AUDIENCE, deps.clock.now())

describe('what is refused', () => {
  for (const [what, made, expected] of rows)
    test(`${what}: ${expected}`, async () => {
      const token = made()
      assert.equal(await said(gateway, typeof token === 'string' ? token : make(token)), expected)
    })

  test('an RSA authority that signs over SHA-1', async () => {
    writeFileSync(join(deps.folder, 'rsa-only'), rsa.line)
    const by = configured({ authorities: 'rsa-only' })
    assert.equal(await said(by, make({ certificate: { by: rsa } })), 'verified')
    assert.equal(await said(by, make({ certificate: { by: rsa, signing: { algorithm: 'ssh-rsa' } } })), 'algorithm')
    assert.equal(await said(by, make({ certificate: { by: rsa, signing: { algorithm: 'rsa-sha2-256' } } })), 'verified')
  })
})

describe('FIDO', () => {
  test('verify-required is met by a PIN or a finger', async () => {
    const certificate = { key: fido, criticalOptions: [['verify-required', '']] } as const
    assert.equal(await said(gateway, make({ certificate, sig: { signing: { flags: 5 } } })), 'verified')
  })
  test('no touch is needed where the certificate says so', async () => {
    const certificate = { key: fido, extensions: [['no-touch-required', '']] } as const
    assert.equal(await said(gateway, make({ certificate, sig: { signing: { flags: 0 } } })), 'verified')
  })
  test('what the authenticator says is signed', async () => {
    const good = standinSshSig({ key: fido, message: message() })
    good[good.length - 5] = 5
    const token = standinSshToken(standinCertificate({ by: ca, key: fido }), message(), good)
    assert.equal(await said(gateway, token), 'signature')
  })
})

test('a token ends with its age or with its certificate, whichever comes first', async () => {
  const gateway = configured({ maxAge: '1m' })
  const [long, ending] = [make(), make({ certificate: { validBefore: seconds(10) } })]
  assert.deepEqual([await said(gateway, long), await said(gateway, ending)], ['verified', 'verified'])
  deps.clock.advance(9_999)
  assert.equal(await said(gateway, ending), 'verified')
  deps.clock.advance(1)
  assert.deepEqual([await said(gateway, long), await said(gateway, ending)], ['verified', 'expired'])
  deps.clock.advance(49_999)
  assert.equal(await said(gateway, long), 'verified')
  deps.clock.advance(1)
  assert.equal(await said(gateway, long), 'expired')
  assert.equal(await said(gateway, make({ certificate: { validBefore: 2n ** 64n - 1n, validAfter: 0n } })), 'verified')
  assert.equal(await said(gateway, make({ age: -30_000, certificate: { validAfter: seconds(30) } })), 'verified')
})

describe('the authorities', () => {
  test('are read anew; what one vouched for that is gone ends, and what can not be read changes nothing', async () => {
    const file = join(deps.folder, 'changing')
    const gateway = configured({ authorities: 'changing' })
    assert.equal(await said(gateway, make()), 'unavailable keys')
    assert.equal(gateway.status()['people']!.ready, false)
    const other = standinKey('p256')
    const write = (text: string): void => {
      writeFileSync(file, text)
      deps.clock.advance(LOOK_MS)
    }
    write(`# ours\n\ncert-authority ${ca.line}${other.line}`)
    assert.equal(gateway.status()['people']!.detail, '2 authorities')
    const result = await ask(gateway, make())
    assert.ok(result.outcome === 'verified')
    const bad: readonly (readonly [string, string])[] = [
      ['', 'there is no public key in it'],
      ['nothing', 'line 1 is no public key, or has options'],
      [`principals="admin" ${ca.line}`, 'line 1 is no public key, or has options'],
      [`cert-authority,principals="admin" ${ca.line}`, 'line 1 is no public key, or has options'],
      [`${ca.line}-----BEGIN OPENSSH PRIVATE KEY-----`, 'line 2 is no public key, or has options'],
      [ca.line.replace('ssh-ed25519', 'ssh-rsa'), 'line 1 has a key of another type than it says'],
      [ca.line + short.line, 'the key in line 2 can not be used'],
      [fido.line, 'the key in line 1 is in a FIDO authenticator, which is not accepted for authorities'],
      [`ssh-ed25519 ${standinCertificate({ by: ca, key: caller }).toString('base64')}`, 'line 1 has a key of another type than it says'],
      [`${caller.certificateType} ${standinCertificate({ by: ca, key: caller }).toString('base64')}`, 'the key in line 1 can not be used'],
    ]
    for (const [text, why] of bad) {
      write(text)
      assert.equal(gateway.status()['people']!.detail, `2 authorities; changing: ${why}`)
      assert.equal(result.verified.revoked, false)
    }
    write(other.line)
    assert.equal(result.verified.revoked, true)
    assert.equal(await said(gateway, make()), 'unknown-key')
    write(ca.line)
    assert.equal(await said(gateway, make()), 'verified')
  })
})

describe('what was taken back', () => {
  const listed = (file: string): Identities => configured({ revoked: file, subject: 'keyId' })
  const file = (name: string): string => join(deps.folder, name)

  test('is refused: by key, key id or serial number', async () => {
    const others = {
      'a key': standinKey('p256'),
      'its SHA-256': standinKey('ed25519'),
      alone: standinKey('p384'),
      certified: standinKey('ed25519'),
    }
    const text = [
      '# ours',
      '',
      'serial: 5',
      'serial: 10-12',
      'serial:0x1f - 0x20',
      'serial: 18446744073709551615',
      'id: left \u00fcber',
      `key: ${others['a key'].line.trim()}`,
      `sha256: ${others['its SHA-256'].line.trim()}`,
      others.alone.line.trim(),
      short.line.trim(), // of no use here, and in nobody's way
      `${others.certified.certificateType} ${standinCertificate({ by: ca, key: others.certified }).toString('base64')}`,
      `hash: ${fido.fingerprint}`,
    ]
    writeFileSync(file('krl'), text.join('\n'))
    const gateway = listed('krl')
    assert.deepEqual(gateway.status()['people'], { ready: true, detail: '1 authority' })
    const serials = [0n, 4n, 5n, 6n, 9n, 10n, 11n, 12n, 13n, 30n, 31n, 32n, 33n, 2n ** 64n - 2n, 2n ** 64n - 1n]
    const told: string[] = []
    for (const serial of serials) if ((await said(gateway, make({ certificate: { serial } }))) === 'revoked') told.push(String(serial))
    assert.deepEqual(told, ['5', '10', '11', '12', '31', '32', '18446744073709551615'])
    for (const key of [...Object.values(others), fido])
      assert.equal(await said(gateway, make({ certificate: { key } })), 'revoked', key.type)
    assert.equal(await said(gateway, make({ certificate: { keyId: 'left \u00fcber' } })), 'revoked')
    assert.equal(await said(gateway, make({ certificate: { keyId: 'left' } })), 'verified')
  })

  test('an authority too', async () => {
    writeFileSync(file('krl-ca'), ca.line)
    assert.equal(await said(listed('krl-ca'), make()), 'revoked')
  })

  test('is read anew, and ends what is open; what can not be read changes nothing, and at first lets nobody in', async () => {
    const gateway = listed('krl-changing')
    assert.equal(await said(gateway, make()), 'unavailable keys')
    assert.deepEqual(gateway.status()['people'], { ready: false, detail: '1 authority; krl-changing: ENOENT' })
    const write = (text: string): void => {
      writeFileSync(file('krl-changing'), text)
      deps.clock.advance(LOOK_MS)
    }
    write('')
    const token = make()
    const result = await ask(gateway, token)
    assert.ok(result.outcome === 'verified')
    const bad: readonly (readonly [string, string])[] = [
      ['serial: 7\nnonsense', 'line 2 is no public key, or has options'],
      ['serial: 07', 'line 1 has no serial number, or numbers in reverse'],
      ['serial: 9-7', 'line 1 has no serial number, or numbers in reverse'],
      ['serial: -7', 'line 1 has no serial number, or numbers in reverse'],
      [
        `ssh-ed25519-cert-v01@openssh.com ${str('ssh-ed25519-cert-v01@openssh.com').toString('base64')}`,
        'the certificate in line 1 can not be read; write its key',
      ],
      ['sha1: x', 'line 1 is no public key, or has options'],
      ['hash: MD5:00', 'the fingerprint in line 1 is none of SHA-256'],
      ['SSHKRL\n\0\0\0', 'it is a binary list that ends too early or has more than it says'],
    ]
    for (const [text, why] of bad) {
      write(text)
      assert.equal(gateway.status()['people']!.detail, `1 authority; krl-changing: ${why}`)
      assert.equal(result.verified.revoked, false)
    }
    write('serial: 7')
    assert.equal(result.verified.revoked, true)
    assert.equal(await said(gateway, token), 'revoked')
    write('')
    assert.equal(await said(gateway, token), 'verified')
  })

  const krl = (...sections: Buffer[]): Buffer =>
    Buffer.concat([Buffer.from('SSHKRL\n\0'), u32(1), Buffer.alloc(24), str(''), str('a list'), ...sections])
  const section = (type: number, ...parts: Buffer[]): Buffer => Buffer.concat([Buffer.of(type), str(Buffer.concat(parts))])
  const certificates = (authority: StandinKey | undefined, ...parts: Buffer[]): Buffer =>
    section(1, str(authority?.blob ?? ''), str(''), ...parts)

  test('in a binary list: of its authority, or of all where it names none', async () => {
    const other = standinKey('ed25519')
    const sha1 = hash('sha1', other.blob, 'buffer')
    const list = krl(
      certificates(ca, section(0x20, u64(5n), u64(6n)), section(0x21, u64(10n), u64(12n)), section(0x23, str('left'))),
      certificates(stranger, section(0x20, u64(7n)), section(0x23, str('reader-key'))),
      certificates(undefined, section(0x22, u64(20n), mpint(Buffer.of(0x81, 0x03))), section(0x22, u64(2n ** 63n), mpint(Buffer.of(1)))),
      section(2, str(rsa.blob)),
      section(3, str(sha1)),
      section(5, str(hash('sha256', fido.blob, 'buffer'))),
    )
    writeFileSync(file('krl-binary'), list)
    const gateway = listed('krl-binary')
    assert.deepEqual(gateway.status()['people'], { ready: true, detail: '1 authority' })
    const told: string[] = []
    for (let serial = 0n; serial < 40n; serial++)
      if ((await said(gateway, make({ certificate: { serial } }))) === 'revoked') told.push(String(serial))
    assert.deepEqual(told, ['5', '6', '10', '11', '12', '20', '21', '28', '35'])
    assert.equal(
      await said(gateway, make({ certificate: { serial: 2n ** 62n + 20n } })),
      'verified',
      'beyond the first bitmap, before the second',
    )
    assert.equal(await said(gateway, make({ certificate: { serial: 2n ** 63n } })), 'revoked')
    assert.equal(await said(gateway, make({ certificate: { keyId: 'left' } })), 'revoked')
    for (const key of [rsa, other, fido]) assert.equal(await said(gateway, make({ certificate: { key } })), 'revoked', key.type)
    assert.equal(await said(gateway, make()), 'verified')
  })

  test('no part of a binary list is passed over', async () => {
    const unknown = 'it is a binary list with a part that is not known'
    const torn = 'it is a binary list that ends too early or has more than it says'
    const good = krl(certificates(ca, section(0x20, u64(5n))), section(2, str(caller.blob)))
    const bad: readonly (readonly [Buffer, string])[] = [
      [krl(section(4, str(''))), unknown],
      [krl(section(255, str('x@example.com'), Buffer.of(0), str(''))), unknown],
      [krl(certificates(ca, section(0x39, str('')))), unknown],
      [krl(certificates(ca, section(0x21, u64(2n), u64(1n)))), 'it is a binary list with numbers in reverse'],
      [krl(certificates(ca, section(0x21, u64(1n), u64(2n), u64(3n)))), torn],
      [krl(certificates(ca, section(0x20, u32(1)))), torn],
      [krl(certificates(ca, section(0x22, u64(1n), str(Buffer.of(0, 1))))), torn],
      [krl(certificates(ca, section(0x23, str(Buffer.of(0xff))))), 'one of its key ids is no UTF-8'],
      [Buffer.concat([Buffer.from('SSHKRL\n\0'), u32(2), Buffer.alloc(32)]), 'it is a binary list of another version'],
      [Buffer.concat([good, Buffer.of(0)]), torn],
    ]
    for (const [index, [bytes, why]] of bad.entries()) {
      writeFileSync(file(`krl-bad-${index}`), bytes)
      assert.deepEqual(listed(`krl-bad-${index}`).status()['people'], { ready: false, detail: `1 authority; krl-bad-${index}: ${why}` })
    }
    assert.equal(readKrl(good.toString('latin1')).length, 2)
    // Cut anywhere, it is refused, or ends where a part does.
    const ends = new Set([good.length, good.length - section(2, str(caller.blob)).length, krl().length])
    for (let at = 8; at <= good.length; at++) {
      const cut = good.subarray(0, at).toString('latin1')
      if (ends.has(at)) assert.ok(readKrl(cut).length <= 2)
      else assert.throws(() => readKrl(cut), TypeError, String(at))
    }
    fc.assert(
      fc.property(fc.nat(good.length - 9), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Buffer.from(good)
        changed[at + 8] = changed[at + 8]! ^ by
        try {
          readKrl(changed.toString('latin1'))
        } catch (error) {
          assert.ok(error instanceof TypeError && /^(it is a binary list|one of its key ids)/.test(error.message))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('by hand as well: a key, whatever it signs', async () => {
    const gateway = configured()
    assert.equal(await said(gateway, make()), 'verified')
    const target = { kind: 'token', issuer: 'people', token: caller.fingerprint } as const
    await gateway.revocations.add({ id: 'x', target, reason: 'lost', by: 'people/admin', createdAt: deps.clock.now(), until: undefined })
    const result = await ask(gateway, make())
    assert.ok(result.outcome === 'verified' && result.verified.revoked)
    const other = await ask(gateway, make({ certificate: { key: rsa } }))
    assert.ok(other.outcome === 'verified' && !other.verified.revoked)
  })
})

describe('hostile bytes', () => {
  const TOKEN_REASONS =
    /^(malformed|too-large|audience|algorithm|signature|expired|not-yet-valid|issued-in-future|unknown-key|key-issuer|token-type|certificate [A-Za-z-]+)$/
  const good = (key: StandinKey): Buffer => Buffer.from(make({ certificate: { key } }).slice('ostiary-ssh.'.length), 'base64url')
  const put = (bytes: Uint8Array): Promise<string> => said(gateway, `ostiary-ssh.${Buffer.from(bytes).toString('base64url')}`)

  test('no changed byte is believed, and none makes reading it throw', async () => {
    for (const key of [caller, rsa, fido, standinKey('p256')]) {
      const bytes = good(key)
      await fc.assert(
        fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
          const changed = Buffer.from(bytes)
          changed[at] = changed[at]! ^ by
          assert.match(await put(changed), TOKEN_REASONS)
        }),
        { numRuns: 150 },
      )
    }
  })

  test('whatever is cut off, put in or said to be long', async () => {
    const bytes = good(caller)
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff), async (at, length) => {
        assert.match(await put(bytes.subarray(0, at)), TOKEN_REASONS)
        const said = Buffer.from(bytes)
        u32(length).copy(said, Math.min(at, said.length - 4))
        if (!said.equals(bytes)) assert.match(await put(said), TOKEN_REASONS)
        assert.match(await put(Buffer.concat([bytes.subarray(0, at), u32(length), bytes.subarray(at)])), TOKEN_REASONS)
      }),
      { numRuns: 150 },
    )
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (any) => assert.match(await put(any), TOKEN_REASONS)),
      { numRuns: 200 },
    )
  })

  test('numbers have one form', () => {
    const { e = '', n = '' } = rsa.privateKey.export({ format: 'jwk' })
    const [exponent, modulus] = [Buffer.from(e, 'base64url'), Buffer.from(n, 'base64url')]
    const read = (...parts: Buffer[]): unknown => refused(() => readPublicBlob(Buffer.concat([str('ssh-rsa'), ...parts])))
    const malformed = { outcome: 'rejected', reason: 'malformed' }
    assert.ok('blob' in (read(mpint(exponent), mpint(modulus)) as object))
    assert.deepEqual(read(str(exponent), str(modulus)), malformed, 'below zero')
    assert.deepEqual(read(str(Buffer.concat([Buffer.of(0), exponent])), mpint(modulus)), malformed, 'a zero too many')
    assert.deepEqual(read(str(''), mpint(modulus)), malformed, 'zero')
    assert.deepEqual(read(mpint(exponent), mpint(modulus), Buffer.of(0)), malformed, 'bytes after it')
    assert.deepEqual(read(mpint(Buffer.of(1)), mpint(modulus)), { outcome: 'rejected', reason: 'algorithm' })
  })

  test('points are on their curve, and written in full', () => {
    const { fields } = standinKey('p256')
    const point = Buffer.from(fields.subarray(16))
    const read = (value: Buffer, curve = 'nistp256'): unknown =>
      refused(() => readPublicBlob(Buffer.concat([str('ecdsa-sha2-nistp256'), str(curve), str(value)])))
    assert.ok('blob' in (read(point) as object))
    assert.deepEqual(read(point, 'nistp384'), { outcome: 'rejected', reason: 'malformed' })
    for (const other of [
      Buffer.concat([Buffer.of(2), point.subarray(1, 33)]),
      Buffer.concat([Buffer.of(3), point.subarray(1)]),
      Buffer.concat([point, Buffer.of(0)]),
      point.subarray(0, 64),
    ])
      assert.deepEqual(read(other), { outcome: 'rejected', reason: 'malformed' })
    point[64] = point[64]! ^ 1
    assert.deepEqual(read(point), { outcome: 'rejected', reason: 'algorithm' })
  })
})

test('sign-in is not what it is for', async () => {
  const [issuer] = gateway.issuers
  assert.equal(issuer!.signIn, undefined)
  await assert.rejects(issuer!.metadata(), { code: 'identity/provider-unavailable' })
  assert.deepEqual(await issuer!.verifyIdToken('x', { clientId: 'x', nonce: 'x' }), { outcome: 'rejected', reason: 'token-type' })
  assert.equal(issuer!.owns(ca.fingerprint), false)
})

test('configuration that would believe too much is refused', () => {
  const good = { kind: 'ssh', audiences: [AUDIENCE], authorities: 'cas', subject: 'principal' }
  assert.ok(issuerConfig(good))
  for (const bad of [
    { audiences: [] },
    { audiences: ['a b'] },
    { authorities: undefined },
    { subject: undefined },
    { subject: 'serial' },
    { principals: [] },
    { maxAge: '16m' },
    { maxAge: '0s' },
    { principal: 'agent' },
  ])
    assert.throws(() => issuerConfig({ ...good, ...bad }), JSON.stringify(bad))
})
