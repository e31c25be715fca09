import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import type { Clock, Entropy } from '../core/clock.ts'
import { systemEntropy } from '../core/clock.ts'
import { OstiaryError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { keyFolder, readKeyFile, writeKeyFile, type PublicMembers, type StoredKey } from './keyfile.ts'

/** What a key of the gateway is for: `assertion` ES256, `checkpoint` Ed25519, `session` 32 octets for AES-256-GCM. */
export type Purpose = SigningPurpose | 'session'
export type SigningPurpose = 'assertion' | 'checkpoint'

const ALGORITHMS = { assertion: 'ES256', checkpoint: 'EdDSA', session: 'A256GCM' } as const satisfies Record<Purpose, StoredKey['alg']>
const PURPOSES = Object.keys(ALGORITHMS) as Purpose[]

/** A public key as it is published (RFC 7517). */
export interface PublicKey extends PublicMembers {
  readonly kid: string
  readonly alg: 'ES256' | 'EdDSA'
  readonly use: 'sig'
}

export interface Jwks {
  readonly keys: readonly PublicKey[]
}

/** Signs with whatever key is in force at the moment of the call. */
export interface Signer {
  readonly kid: string
  readonly alg: 'ES256' | 'EdDSA'
  /** The signature: for ES256 the 64 octets of JWS (RFC 7518 §3.4), for Ed25519 those of RFC 8032. Some 50 µs. */
  sign(bytes: Uint8Array): Uint8Array
}

/** A symmetric key with its id, which goes beside what was sealed with it. */
export interface SealingKey {
  readonly kid: string
  readonly key: Secret<Uint8Array>
}

/** What a rotation did, for the record. Holds nothing secret. */
export interface Rotation {
  readonly purpose: Purpose
  readonly kid: string
  readonly previous: string
  /** Milliseconds since the epoch until which the previous key is still accepted; undefined: for ever. */
  readonly previousUntil: number | undefined
  /** Of a checkpoint key: its public `x`, and the signature of the key before over `endorsementMessage`. */
  readonly endorsement: { readonly x: string; readonly signature: string } | undefined
}

export interface KeyringOptions {
  /** Folder of the key files, made if it isn't there. */
  readonly dir: string
  readonly clock: Clock
  readonly entropy?: Entropy
  /** How long a retired key is still accepted, in milliseconds. Defaults: assertion 1 h, session 12 h. Checkpoint keys stay for ever. */
  readonly overlap?: { readonly assertion?: number; readonly session?: number }
}

const OVERLAP = { assertion: 3_600_000, session: 12 * 3_600_000, checkpoint: Number.POSITIVE_INFINITY }

/** The gateway's own keys. */
export interface Keyring {
  /** Signs the assertions that upstreams receive. */
  readonly assertion: Signer
  /** Signs the checkpoints of the record. */
  readonly checkpoint: Signer
  /** The sealing key in force, for what doesn't outlive it. */
  readonly sessionKey: Secret<Uint8Array>
  /** Keys that are accepted now, the signing one first. */
  jwks(purpose: SigningPurpose): Jwks
  /** Keys that open what was sealed, the sealing one first. */
  sealing(): readonly [SealingKey, ...SealingKey[]]
  /** Takes a new key; the old one stays for the overlap. Durable when it returns. @throws OstiaryError `secrets/key-folder` */
  rotate(purpose: Purpose, why?: string): Rotation
  /** Where each key in force comes from. */
  origins(): readonly {
    readonly purpose: Purpose
    readonly kid: string
    readonly createdAt: number
    readonly origin: string
    readonly why: string
  }[]
}

/**
 * Opens the gateway's keys, and makes what is missing: readable by this user alone.
 * @throws OstiaryError `secrets/key-file-open`, `secrets/key-folder-open`, `secrets/key-file`, `secrets/key-folder`
 */
export function openKeyring({ dir, clock, entropy = systemEntropy, overlap = {} }: KeyringOptions): Keyring {
  keyFolder(dir)
  const overlaps = { ...OVERLAP, ...overlap }
  const rings = new Map<Purpose, Ring>()
  for (const purpose of PURPOSES) {
    let keys = readKeyFile(dir, purpose)
    if (keys === undefined) {
      const made = [generate(purpose, clock.now(), 'first run', entropy)]
      // Two processes may start at once: the first one's key is everybody's.
      keys = writeKeyFile(dir, purpose, made, true) ? made : (readKeyFile(dir, purpose) ?? made)
    }
    rings.set(purpose, ringOf(dir, purpose, keys))
  }
  const ring = (purpose: Purpose): Ring => rings.get(purpose)!
  const accepted = (purpose: Purpose): readonly StoredKey[] =>
    ring(purpose)
      .keys.filter(({ retiredAt }) => retiredAt === undefined || clock.now() < retiredAt + overlaps[purpose])
      .toReversed()

  const signer = (purpose: SigningPurpose): Signer => ({
    get kid() {
      return ring(purpose).current.kid
    },
    alg: ALGORITHMS[purpose],
    sign: (bytes) => signWith(purpose, ring(purpose).privateKey!, bytes),
  })

  return {
    assertion: signer('assertion'),
    checkpoint: signer('checkpoint'),
    get sessionKey() {
      return new Secret(octets(ring('session').current.secret!))
    },
    jwks: (purpose) => ({ keys: accepted(purpose).flatMap(published) }),
    sealing: () =>
      accepted('session').map(({ kid, secret }) => ({ kid, key: new Secret(octets(secret!)) })) as unknown as readonly [
        SealingKey,
        ...SealingKey[],
      ],
    rotate(purpose, why = 'rotation') {
      const { keys, current, privateKey } = ring(purpose)
      const now = clock.now()
      const next = generate(purpose, now, why, entropy)
      let endorsement: Rotation['endorsement']
      if (purpose === 'checkpoint') {
        const x = next.public!.x
        const signature = Buffer.from(signWith(purpose, privateKey!, endorsementMessage(next.kid, x))).toString('base64url')
        endorsement = { x, signature }
        next.endorsement = { by: current.kid, signature }
      }
      const past = keys
        .map((key) => (key === current ? retire(key, purpose, now) : key))
        .filter(({ retiredAt }) => retiredAt === undefined || now < retiredAt + overlaps[purpose])
      const all = [...past, next]
      writeKeyFile(dir, purpose, all)
      rings.set(purpose, ringOf(dir, purpose, all))
      const until = now + overlaps[purpose]
      return { purpose, kid: next.kid, previous: current.kid, previousUntil: Number.isFinite(until) ? until : undefined, endorsement }
    },
    origins: () =>
      PURPOSES.map((purpose) => {
        const { kid, createdAt, origin, why } = ring(purpose).current
        return { purpose, kid, createdAt, origin, why }
      }),
  }
}

/**
 * The public keys of a purpose from their file alone, for whoever verifies without a gateway. Private parts aren't used.
 * @throws OstiaryError `secrets/key-file-open`, `secrets/key-file`
 */
export function readPublicKeys(dir: string, purpose: SigningPurpose): Jwks {
  return { keys: (readKeyFile(dir, purpose) ?? []).toReversed().flatMap(published) }
}

/** What an outgoing checkpoint key signs so that its successor is known as such. */
export function endorsementMessage(kid: string, x: string): Buffer {
  return Buffer.from(`ostiary-checkpoint-key/v1\n${kid}\n${x}\n`)
}

/** True if the key with public `by` says that the Ed25519 key `x` under `kid` follows it. */
export function isEndorsed(by: KeyObject, kid: string, x: string, signature: string): boolean {
  return verify(null, endorsementMessage(kid, x), by, Buffer.from(signature, 'base64url'))
}

/** The key object of an Ed25519 public `x`; undefined if it is none. */
export function ed25519Key(x: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  } catch {
    return undefined
  }
}

interface Ring {
  readonly keys: readonly StoredKey[]
  readonly current: StoredKey
  readonly privateKey: KeyObject | undefined
}

function ringOf(dir: string, purpose: Purpose, keys: readonly StoredKey[]): Ring {
  const unusable = (cause: string): OstiaryError => new OstiaryError('secrets/key-file', { file: `${dir}/${purpose}.json`, cause })
  const current = keys.findLast(({ retiredAt }) => retiredAt === undefined)
  if (current?.secret === undefined || keys.some(({ alg }) => alg !== ALGORITHMS[purpose])) throw unusable('it holds no key for this')
  if (purpose === 'session') {
    if (keys.some(({ secret }) => secret === undefined || octets(secret).length !== 32)) throw unusable('a key has not 32 octets')
    return { keys, current, privateKey: undefined }
  }
  try {
    const privateKey = createPrivateKey({ key: { ...current.public!, d: current.secret } as never, format: 'jwk' })
    const { x, y } = createPublicKey(privateKey).export({ format: 'jwk' })
    if (x !== current.public!.x || y !== current.public!.y || thumbprint(current.public!) !== current.kid)
      throw new Error('parts of different keys')
    return { keys, current, privateKey }
  } catch {
    throw unusable('its parts do not belong together')
  }
}

function generate(purpose: Purpose, createdAt: number, why: string, entropy: Entropy): StoredKey {
  const base = { alg: ALGORITHMS[purpose], createdAt, origin: 'generated' as const, why }
  if (purpose === 'session') {
    const secret = Buffer.from(entropy.bytes(32))
    return { kid: Buffer.from(entropy.bytes(12)).toString('base64url'), ...base, secret: secret.toString('base64url') }
  }
  const { privateKey } = purpose === 'assertion' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  const { kty, crv, x, y, d } = privateKey.export({ format: 'jwk' })
  const members = { kty, crv, x, ...(y === undefined ? {} : { y }) } as PublicMembers
  return { kid: thumbprint(members), ...base, public: members, secret: d! }
}

/** A retired signing key can sign no more; a sealing key still opens what it sealed. */
function retire(key: StoredKey, purpose: Purpose, now: number): StoredKey {
  const { secret, ...rest } = key
  return purpose === 'session' && secret !== undefined ? { ...rest, retiredAt: now, secret } : { ...rest, retiredAt: now }
}

function published({ kid, alg, public: members }: StoredKey): PublicKey[] {
  return members === undefined || alg === 'A256GCM' ? [] : [{ ...members, kid, alg, use: 'sig' }]
}

function signWith(purpose: SigningPurpose, key: KeyObject, bytes: Uint8Array): Uint8Array {
  return purpose === 'assertion' ? sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }) : sign(null, bytes, key)
}

/** RFC 7638: the members that make the key, in order. */
function thumbprint({ crv, kty, x, y }: PublicMembers): string {
  const members = y === undefined ? { crv, kty, x } : { crv, kty, x, y }
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}

function octets(text: string): Uint8Array {
  return Buffer.from(text, 'base64url')
}
