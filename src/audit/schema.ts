/**
 * The one schema of the record: every door, every decision, every event of the gateway, as JSON lines. Fields that are
 * not listed are kept, so that a reader of one version can read what a later one writes.
 */
import type { Confirmation } from '../core/principal.ts'
import { z } from 'zod'
import { verdictKinds } from '../core/record.ts'

const seq = z.int().min(1).describe('Number of the line, from 1, without a gap over all segments')
const time = z.iso.datetime({ precision: 3 }).describe('RFC 3339, UTC, milliseconds. Of a decision: when it was made')
const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('SHA-256 over the hash of the line before, followed by this line up to `,"hash"`')
const id = z.string().max(8192).describe('Decision id, as in the response. Ids sort by time')
const truncated = z.literal(true).optional().describe('Something was too long and was cut, with a marker')
const text = z.string()
const texts = z.array(text)

const base = { seq, time, hash }

const KINDS = ['human', 'workload', 'managed-identity', 'agent', 'human-via-agent', 'anonymous'] as const

/** Who, in short. */
export interface Who {
  readonly issuer: string
  readonly subject: string
  readonly kind: (typeof KINDS)[number]
  readonly display?: string | undefined
  readonly client?: string | undefined
  readonly roles: readonly string[]
  readonly unknownRoles?: readonly string[] | undefined
  readonly actor?: Who | undefined
}

const who: z.ZodType<Who> = z.lazy(() =>
  z.looseObject({
    issuer: text.describe('Configured name of the issuer; empty for anonymous'),
    subject: text.describe('Stable key within the issuer: `tid/oid` for Entra, `sub` elsewhere; empty for anonymous'),
    kind: z.enum(KINDS),
    display: text.optional().describe('For people to read; nothing is decided on it'),
    client: text.optional().describe('Client (application) that got the token'),
    roles: texts.describe('Roles held, sorted'),
    unknownRoles: texts.optional().describe('Roles that could not be told; absent for none'),
    actor: who.optional().describe('Who acts for this one, proven by the same credential (RFC 8693 `act`)'),
  }),
)

/** Proof, claims and provenance of one party; `actor` is the next. */
export interface WhoInFull {
  readonly issuer: string
  readonly subject: string
  readonly kind: (typeof KINDS)[number]
  readonly display?: string | undefined
  readonly roles: readonly string[]
  readonly unknownRoles: readonly string[]
  readonly provenance: readonly {
    readonly role: string
    readonly state: 'held' | 'unknown'
    readonly claim?: string | undefined
    readonly value?: string | undefined
    readonly name?: string | undefined
    readonly until?: number | null | undefined
  }[]
  readonly activated?: readonly { readonly role: string; readonly from: number; readonly until: number }[] | undefined
  readonly claims: Readonly<Record<string, string | number | boolean | readonly string[] | null>>
  readonly unknownClaims?: readonly string[] | undefined
  readonly unknownBecause?: Readonly<Record<string, string>> | undefined
  readonly scopes?: readonly string[] | undefined
  readonly appOnly?: boolean | undefined
  readonly listedClient?: boolean | undefined
  readonly evidence?:
    | {
        readonly credential: string
        readonly issuerUrl: string
        readonly audience: string
        readonly client?: string | undefined
        readonly tokenId?: string | undefined
        readonly keyId?: string | undefined
        readonly algorithm?: string | undefined
        readonly issuedAt?: number | null | undefined
        readonly expiresAt: number | null
        readonly sessionId?: string | undefined
        readonly confirmation?: Confirmation | undefined
      }
    | undefined
  readonly actor?: WhoInFull | undefined
}

const whoInFull: z.ZodType<WhoInFull> = z.lazy(() =>
  z.looseObject({
    issuer: text,
    subject: text,
    kind: z.enum(KINDS),
    display: text.optional(),
    roles: texts.describe('Roles held, sorted'),
    unknownRoles: texts.describe('Roles that could not be told, sorted'),
    provenance: z
      .array(
        z.looseObject({
          role: text,
          state: z.enum(['held', 'unknown']),
          claim: text.optional(),
          value: text.optional(),
          name: text.optional().describe('What the provider calls the value, such as a group. Nothing is decided on it'),
          until: z.number().nullish().describe('Of a role that is active for a time: its end, in milliseconds since the epoch'),
        }),
      )
      .describe('Which claim and value gave each role, or left it unknown'),
    activated: z
      .array(z.looseObject({ role: text, from: z.number(), until: z.number() }))
      .optional()
      .describe('Eligible roles that were active, from when until when, in milliseconds since the epoch; absent for none'),
    claims: z
      .record(text, z.union([text, z.number(), z.boolean(), texts, z.null()]))
      .describe('Claims that the policy may speak of, by declared name, as verified'),
    unknownClaims: texts.optional().describe('Declared claims whose value could not be known, such as groups after an overage'),
    unknownBecause: z.record(text, text).optional().describe('Why, where more is known than that the credential leaves it open'),
    scopes: texts.optional().describe('Scopes of a delegated token; absent where there is no notion of them'),
    appOnly: z.boolean().optional().describe('The client got the token for itself. Absent for anonymous, as all that follows'),
    listedClient: z.boolean().optional(),
    evidence: z
      .looseObject({
        credential: text.describe('`bearer`, `session`, …'),
        issuerUrl: text.describe('The issuer’s own URL as verified'),
        audience: text,
        client: text.optional(),
        tokenId: text.optional().describe('`jti` or `uti`; never the token'),
        keyId: text.optional(),
        algorithm: text.optional(),
        issuedAt: z.number().nullish().describe('Milliseconds since the epoch'),
        expiresAt: z.number().nullable().describe('Milliseconds since the epoch'),
        sessionId: text.optional(),
        confirmation: z
          .looseObject({ method: z.enum(['dpop', 'mtls']), thumbprint: text })
          .optional()
          .describe('The key that the credential is bound to, which the caller proved to have'),
      })
      .optional()
      .describe('How it was proven. Holds no token and no secret'),
    actor: whoInFull.optional(),
  }),
)

const principalRecord = seqReference('Line of this segment that says in full who it was')

function seqReference(description: string) {
  return z.int().min(1).optional().describe(description)
}

const segment = z.looseObject({
  ...base,
  kind: z.literal('segment').describe('First line of a file'),
  version: z.literal(1),
  log: text.describe('Id of the record; a record begun anew has another'),
  previous: hash.describe('Hash of the line before, the last of the preceding file; zeros for the very first'),
  checkpointEvery: z.number().describe('Milliseconds within which new lines are signed'),
})

const principal = z.looseObject({
  ...base,
  kind: z.literal('principal').describe('Who in full, once per segment, for the lines that refer to it'),
  principal: whoInFull,
  truncated,
})

/** The canonical action of each protocol, field by field as in `core/action.ts`. */
const action = z
  .discriminatedUnion('protocol', [
    z.looseObject({ protocol: z.literal('http'), method: text, path: text.describe('Without its query') }),
    z.looseObject({
      protocol: z.literal('kubernetes'),
      verb: text,
      group: text,
      resource: text,
      subresource: text,
      namespace: text,
      name: text,
      path: text,
    }),
    z.looseObject({ protocol: z.literal('sql'), class: text, schema: text, object: text, column: text }),
    z.looseObject({
      protocol: z.literal('ssh'),
      operation: text,
      login: text,
      access: text,
      command: texts.optional().describe('Words; absent where a shell would make something else of it'),
      target: text,
    }),
    z.looseObject({ protocol: z.literal('container'), operation: text, repository: text, version: text, name: text, options: texts }),
    z.looseObject({ protocol: z.literal('mcp'), method: text, name: text, argumentsJson: text.optional().describe('Arguments, as JSON') }),
    z.looseObject({ protocol: z.literal('llm'), operation: text, model: text, tokens: z.number().optional() }),
  ])
  .describe('As decided and as forwarded. `*` in a field is about all values at once, or about one that could not be told')

const decision = z.looseObject({
  ...base,
  kind: z.literal('decision'),
  id,
  mode: z.enum(['strict', 'spool', 'best-effort']).describe('How much the route insists on its record'),
  door: text,
  resource: text,
  action,
  verdict: z.enum(verdictKinds).describe('Only `allowed` had an effect at the resource'),
  effect: z
    .enum(['allow', 'challenge', 'needs-approval', 'deny'])
    .optional()
    .describe('What the policy said; absent for `rejected`, `unavailable` and `malformed`, where it was not asked'),
  rule: text.optional().describe('Least granting rule'),
  rules: texts.optional().describe('All granting rules, sorted; absent if `rule` says it all'),
  reasons: z.array(z.looseObject({ code: text, id: text.optional(), role: text.optional() })).optional(),
  obligations: z
    .array(
      z.looseObject({
        kind: z.enum(['mask', 'limit', 'record']),
        id: text.optional(),
        ids: texts.optional(),
        fields: texts.optional().describe('What becomes of which fields: `hash $.customer.email`'),
      }),
    )
    .optional()
    .describe('What was carried out along with an allow, by guardrail'),
  limit: text.optional().describe('Of `limited`: the guardrail whose counter is used up'),
  observed: z
    .looseObject({
      effect: z.enum(['allow', 'challenge', 'needs-approval', 'deny']),
      reasons: z.array(z.looseObject({ code: text, id: text.optional(), role: text.optional() })),
    })
    .optional()
    .describe('What it would have come out as if nothing were only observed'),
  peer: who.optional().describe('The other end of the connection, where it was proven beside the caller'),
  justification: text.optional().describe('What the caller said that it was for. Nobody has verified it'),
  reason: text
    .optional()
    .describe('Of `rejected`: why the credential was refused. Of `malformed`: the error code of what is wrong with the message'),
  claim: text.optional().describe('Of `rejected`: the claim that it was about'),
  cause: text.optional().describe('Of `unavailable`: what could not be reached'),
  policy: text.describe('Version of the policy that was in force; kept as long as a record cites it'),
  ip: text.describe('Caller’s address, after forwarded headers of listed peers'),
  trace: text.optional().describe('Trace id'),
  principal: who,
  principalRecord,
  truncated,
})

const outcome = z.looseObject({
  ...base,
  kind: z.literal('outcome').describe('What came of an allowed exchange, once it is over'),
  id,
  result: text.describe(
    '`completed`, or why it ended early; `handed-over` where somebody else who asked lets it through, and nothing more is known',
  ),
  status: z.number().nullable().describe('Status in the door’s protocol'),
  bytesIn: z.number().nullable().describe('Body bytes from the caller'),
  bytesOut: z.number().nullable().describe('Body bytes to the caller'),
  duration: z.number().nullable().describe('Milliseconds'),
})

const event = z.looseObject({
  ...base,
  kind: z.literal('event').describe('Something that happened to the gateway itself'),
  event: text,
  details: z.record(text, z.union([text, z.number(), z.boolean(), texts, z.null()])),
  principal: who.optional(),
  principalRecord,
  truncated,
})

const gap = z.looseObject({
  ...base,
  kind: z.literal('gap').describe('What could not be recorded'),
  since: time,
  cause: text,
  dropped: z.int().describe('Best-effort records that were dropped'),
  refused: z.int().describe('Requests that were refused because they could not be recorded'),
  lost: z.int().describe('Outcomes and events that found no room'),
})

const checkpoint = z.looseObject({
  ...base,
  kind: z.literal('checkpoint').describe('A signature over all that stands before it'),
  log: text,
  final: z.boolean().describe('The gateway stopped in good order'),
  policies: texts.optional().describe('Policy versions that this segment cites so far'),
  kid: text,
  signature: text.describe(
    'Ed25519, base64url, over `ostiary-checkpoint/v1`, log, seq, time, hash of the line before, and `final` or `open`, each with a newline behind it',
  ),
})

/** Any line of the record. */
export const auditRecord = z.discriminatedUnion('kind', [segment, principal, decision, outcome, event, gap, checkpoint])

export type AuditRecord = z.output<typeof auditRecord>
export type RecordOf<K extends AuditRecord['kind']> = Extract<AuditRecord, { kind: K }>
export type DecisionRecord = RecordOf<'decision'>
export type OutcomeRecord = RecordOf<'outcome'>
export type PrincipalRecord = RecordOf<'principal'>
export type RecordKind = AuditRecord['kind']

/** Reads a line without its newline; undefined for what is no record of ours. Total. */
export function parseRecord(line: Uint8Array): AuditRecord | undefined {
  const parsed = auditRecord.safeParse(parseJson(line))
  return parsed.success ? parsed.data : undefined
}

/** Nested deeper than any record; parsing such a line would only cost. */
const DEPTH_LIMIT = 64

/** The JSON value of a line; undefined if it isn't JSON, or nested beyond reason. */
export function parseJson(line: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8'))
    return deeperThan(value, DEPTH_LIMIT) ? undefined : value
  } catch {
    return undefined
  }
}

function deeperThan(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (limit === 0) return true
  return Object.values(value).some((inner) => deeperThan(inner, limit - 1))
}

/** The schema as JSON Schema (2020-12), for whoever reads the record with something else. */
export function recordJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(auditRecord, { io: 'input' }) as Readonly<Record<string, unknown>>
}
