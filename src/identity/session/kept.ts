import { z } from 'zod'
import type { Identity } from '../../core/principal.ts'

/** Version of the form in which an identity is kept. One of another version doesn't read: its session is unknown then. */
const VERSION = 1

const evidence = z.strictObject({
  credential: z.string(),
  issuerUrl: z.string(),
  audience: z.string(),
  client: z.string().optional(),
  tokenId: z.string().optional(),
  keyId: z.string().optional(),
  algorithm: z.string().optional(),
  issuedAt: z.number().optional(),
  expiresAt: z.number(),
  sessionId: z.string().optional(),
})

const party = z.strictObject({
  issuer: z.string(),
  subject: z.string(),
  kind: z.enum(['human', 'workload', 'managed-identity', 'agent', 'human-via-agent']),
  claims: z.array(z.tuple([z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])])),
  unknownClaims: z.array(z.string()),
  scopes: z.array(z.string()).optional(),
  appOnly: z.boolean(),
  listedClient: z.boolean(),
  display: z.string().optional(),
  evidence,
})

/** The parties of a chain, the subject first. */
const kept = z.strictObject({ version: z.literal(VERSION), parties: z.array(party).min(1).max(4), provenUntil: z.number().optional() })

const given = z.strictObject({
  version: z.literal(VERSION),
  refreshToken: z.string().optional(),
  nonce: z.string(),
  idToken: z.string().optional(),
})

/** What was proven at sign-in, or since. */
export interface Kept {
  readonly identity: Identity
  /** When it has to be proven anew, in milliseconds since the epoch; undefined for what was proven for the whole session. */
  readonly provenUntil: number | undefined
}

/** What the provider gave along with it. */
export interface ProviderTokens {
  /** RFC 6749 §6. Good once, where the provider gives another each time. */
  readonly refreshToken: string | undefined
  /** That the sign-in sent: a later ID token has this one or none (OpenID Connect Core §12.2). */
  readonly nonce: string
  /** To sign out there; undefined where it is too long to be sent in a URL. */
  readonly idToken: string | undefined
}

type Party = z.output<typeof party>

/** What was proven as bytes, to be sealed. */
export function writeKept({ identity, provenUntil }: Kept): Uint8Array {
  const parties: Party[] = []
  for (let at: Identity | undefined = identity; at !== undefined; at = at.actor) {
    const { actor: _, claims, unknownClaims, ...rest } = at
    parties.push({ ...rest, claims: Object.entries(claims), unknownClaims: [...unknownClaims] } as Party)
  }
  return Buffer.from(JSON.stringify({ version: VERSION, parties, provenUntil }))
}

/** What was written; undefined for bytes of another version. */
export function readKept(bytes: Uint8Array): Kept | undefined {
  const parsed = kept.safeParse(parse(bytes))
  if (!parsed.success) return undefined
  const { parties, provenUntil } = parsed.data
  const identity = parties.reduceRight<Identity | undefined>((actor, one) => identityOf(one, actor), undefined)
  return identity && { identity, provenUntil }
}

/** The same for what the provider gave. */
export function writeTokens(tokens: ProviderTokens): Uint8Array {
  return Buffer.from(JSON.stringify({ version: VERSION, ...tokens }))
}

export function readTokens(bytes: Uint8Array): ProviderTokens | undefined {
  const parsed = given.safeParse(parse(bytes))
  if (!parsed.success) return undefined
  const { refreshToken, nonce, idToken } = parsed.data
  return { refreshToken, nonce, idToken }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}

function identityOf({ claims, unknownClaims, evidence: how, ...rest }: Party, actor: Identity | undefined): Identity {
  const own = Object.create(null) as Record<string, string | number | boolean | readonly string[]>
  for (const [name, value] of claims) own[name] = value
  return {
    issuer: rest.issuer,
    subject: rest.subject,
    kind: rest.kind,
    claims: own,
    unknownClaims: new Set(unknownClaims),
    scopes: rest.scopes,
    appOnly: rest.appOnly,
    listedClient: rest.listedClient,
    actor,
    display: rest.display,
    evidence: {
      credential: how.credential,
      issuerUrl: how.issuerUrl,
      audience: how.audience,
      client: how.client,
      tokenId: how.tokenId,
      keyId: how.keyId,
      algorithm: how.algorithm,
      issuedAt: how.issuedAt,
      expiresAt: how.expiresAt,
      sessionId: how.sessionId,
    },
  }
}
