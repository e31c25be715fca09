/** What is measured of identity: each way in which a credential is taken, by the door's own entrance. */
import { constants, createPublicKey, randomUUID, verify, type KeyObject } from 'node:crypto'
import type { AuthResult } from '../../../src/core/credential.ts'
import type { Identity } from '../../../src/core/principal.ts'
import { Secret } from '../../../src/core/secret.ts'
import type { Algorithm } from '../../../src/testing/tokens.ts'
import { work, type Subject, type Work } from './measure.ts'
import { ALGORITHMS, FORGETFUL, openWorld, text, URL_, type Octets, type World } from './world.ts'

/** Microseconds of CPU that what is known already may cost, and how a new token may stand to its signature alone. */
const SEEN_BAR = 2
const NEW_BAR = 1.3
/** Of what is known: so many are shown in turn. */
const SEEN = 1_000
const REVOCATIONS = 10_000
/** A slice has to last: Linux counts CPU in ticks of up to 10 ms. What is cheap is done again with the same inputs, as an API is called. */
const CHEAP = 100_000
const DEAR = 2_000

/** Answered at once, and with yes. */
const isVerified = (answer: AuthResult | Promise<AuthResult>): boolean => !(answer instanceof Promise) && answer.outcome === 'verified'

/** The next `count` of `all`, which come round again. */
function inTurn<T>(all: readonly T[]): (count: number) => readonly T[] {
  let next = 0
  return (count) => Array.from({ length: count }, () => all[next++ % all.length]!)
}

/** `count` of all texts, made once per slice and then shown again and again. */
function again(all: readonly Octets[]): (count: number) => readonly string[] {
  return (count) => inTurn(all.map(text))(count)
}

/** node:crypto's options for an algorithm, written down here once more: the reference is not the gateway's own code. */
function verifyOptions(algorithm: Algorithm, key: KeyObject): Parameters<typeof verify>[2] {
  if (algorithm === 'PS256') return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  return algorithm === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key
}

interface Signed {
  readonly input: Buffer
  readonly signature: Buffer
}

function signedOf(octets: Octets): Signed {
  const dot = octets.lastIndexOf('.')
  return { input: Buffer.from(octets.subarray(0, dot)), signature: Buffer.from(text(octets.subarray(dot + 1)), 'base64url') }
}

/** Nothing but the signature: what any verifier has to spend. */
function signatureOnly(algorithm: Algorithm, key: KeyObject, next: (count: number) => readonly Octets[]): Work {
  const options = verifyOptions(algorithm, key)
  const hash = algorithm === 'EdDSA' ? null : 'sha256'
  return work(
    (count) => next(count).map(signedOf),
    ({ input, signature }) => verify(hash, input, options, signature),
  )
}

function bearer({ ask }: World, inputs: (count: number) => readonly string[]): Work {
  return work(inputs, (token) => isVerified(ask({ kind: 'bearer', token: new Secret(token) })))
}

function newToken(world: World, algorithm: Algorithm): Subject {
  const all = world.tokens(algorithm)
  const next = inTurn(all)
  return {
    name: `a new token, ${algorithm}`,
    reference: signatureOnly(algorithm, createPublicKey(world.keys[algorithm].privateKey), inTurn(all)),
    candidate: bearer(world, (count) => next(count).map(text)),
    times: DEAR,
    within: NEW_BAR,
  }
}

/** What Node alone takes to read such a token: decode its parts, verify, parse. Nothing is judged and nothing kept. The floor of any gateway. */
function readByNode(world: World, algorithm: Algorithm): Subject {
  const all = world.tokens(algorithm)
  const next = inTurn(all)
  const key = createPublicKey(world.keys[algorithm].privateKey)
  const options = verifyOptions(algorithm, key)
  const hash = algorithm === 'EdDSA' ? null : 'sha256'
  return {
    name: `decoded, verified and parsed by Node alone, ${algorithm}`,
    reference: signatureOnly(algorithm, key, inTurn(all)),
    candidate: work(
      (count) => next(count).map(text),
      (token) => {
        const [head, body, signature] = token.split('.') as [string, string, string]
        const parsed: unknown[] = [head, body].map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
        return verify(hash, Buffer.from(`${head}.${body}`), options, Buffer.from(signature, 'base64url')) && parsed.length === 2
      },
    ),
    times: DEAR,
  }
}

function dpopProof({ ask, boundToken, proof, proofKey }: World): Subject {
  const fresh = (count: number): readonly Octets[] => Array.from({ length: count }, proof)
  return {
    name: 'a DPoP proof, ES256, of a token seen before',
    reference: signatureOnly('ES256', proofKey, fresh),
    candidate: work(
      (count) => fresh(count).map((octets) => ({ token: text(boundToken), proof: text(octets) })),
      (shown) =>
        isVerified(ask({ kind: 'dpop', token: new Secret(shown.token), proof: new Secret(shown.proof), method: 'GET', url: URL_ })),
    ),
    times: DEAR,
  }
}

async function session({ identities, ask }: World, identity: Identity): Promise<Subject> {
  const handles: Octets[] = []
  for (let i = 0; i < SEEN; i++) {
    const { setCookie } = await identities.sessions.create(identity, Date.now() + 3_600_000)
    handles.push(Buffer.from(/=([^;]+)/.exec(setCookie(true))![1]!, 'latin1'))
  }
  return {
    name: 'a session in use',
    candidate: work(again(handles), (handle) => isVerified(ask({ kind: 'session', handle: new Secret(handle) }))),
    times: CHEAP,
  }
}

function certificate({ ask, certificate: presented }: World): Subject {
  return {
    name: 'a client certificate seen before',
    candidate: work(again([Buffer.from(presented.thumbprint, 'latin1')]), (thumbprint) =>
      isVerified(ask({ kind: 'certificate', certificate: { ...presented, thumbprint } })),
    ),
    times: CHEAP,
    under: SEEN_BAR,
  }
}

/** What a change of the revocations costs everything that is known: one look-up each, whose cost must not grow with their number. */
async function revocations({ identities, ask, tokens }: World): Promise<Subject> {
  for (let i = 0; i < REVOCATIONS; i++)
    await identities.revocations.add({
      id: `revocation-${i}`,
      target:
        i % 2 === 0
          ? { kind: 'subject', issuer: 'entra', subject: `${randomUUID()}/${randomUUID()}` }
          : { kind: 'token', issuer: 'entra', token: `token-${i}` },
      reason: 'load',
      by: 'load',
      createdAt: Date.now(),
      until: undefined,
    })
  const known = tokens('RS256').slice(0, SEEN)
  const identitiesOf = known.map((octets) => identityOf(ask({ kind: 'bearer', token: new Secret(text(octets)) })))
  const next = inTurn(identitiesOf)
  return {
    name: `a look-up among ${REVOCATIONS.toLocaleString('en')} revocations`,
    candidate: work(next, (identity) => !identities.revocations.hits(identity)),
    times: CHEAP,
  }
}

function identityOf(answer: AuthResult | Promise<AuthResult>): Identity {
  if (answer instanceof Promise || answer.outcome !== 'verified') throw new Error('a token that was to be known is not')
  return answer.verified.identity
}

export interface Subjects {
  readonly all: readonly Subject[]
  close(): Promise<void>
}

/** Everything that is measured. */
export async function openSubjects(): Promise<Subjects> {
  const forgetful = await openWorld(FORGETFUL)
  const world = await openWorld()
  const known = world.tokens('RS256').slice(0, SEEN)
  const identity = identityOf(world.ask({ kind: 'bearer', token: new Secret(text(known[0]!)) }))
  world.ask({ kind: 'bearer', token: new Secret(text(world.boundToken)) })
  const seen = { name: 'a token seen before', candidate: bearer(world, again(known)), times: CHEAP, under: SEEN_BAR }
  return {
    all: [
      seen,
      await session(world, identity),
      certificate(world),
      await revocations(world),
      { ...seen, name: `a token seen before, with ${REVOCATIONS.toLocaleString('en')} revocations` },
      ...ALGORITHMS.flatMap((algorithm) => [newToken(forgetful, algorithm), readByNode(forgetful, algorithm)]),
      dpopProof(world),
    ],
    async close() {
      await forgetful.close()
      await world.close()
    },
  }
}
