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
const kept = z.strictObject({ version: z.literal(VERSION), parties: z.array(party).min(1).max(4) })

type Party = z.output<typeof party>

/** An identity as bytes, to be sealed. */
export function writeIdentity(identity: Identity): Uint8Array {
  const parties: Party[] = []
  for (let at: Identity | undefined = identity; at !== undefined; at = at.actor) {
    const { actor: _, claims, unknownClaims, ...rest } = at
    parties.push({ ...rest, claims: Object.entries(claims), unknownClaims: [...unknownClaims] } as Party)
  }
  return Buffer.from(JSON.stringify({ version: VERSION, parties }))
}

/** The identity that was written; undefined for bytes of another version. */
export function readIdentity(bytes: Uint8Array): Identity | undefined {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
  const parsed = kept.safeParse(value)
  if (!parsed.success) return undefined
  return parsed.data.parties.reduceRight<Identity | undefined>((actor, one) => identityOf(one, actor), undefined)
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
