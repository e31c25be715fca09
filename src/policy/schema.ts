/** The form of `policy/**` files. The JSON Schemas for editors are generated from here. */
import { z } from 'zod'
import { duration, name } from '../config/fields.ts'
import { API_VERSION } from '../config/schema.ts'

/** Kinds of principal that a binding may ask for. */
export const principalKind = z.enum(['human', 'workload', 'managed-identity', 'agent', 'human-via-agent'])

const claimValue = z.union([z.string(), z.number(), z.boolean()])
const values = z.array(claimValue).min(1).max(10_000)
const instant = z
  .string()
  .describe('RFC 3339, such as `2026-12-31T00:00:00Z`')
  .meta({ examples: ['2026-12-31T00:00:00Z'] })

export const bindingSchema = z.strictObject({
  issuer: z
    .string()
    .describe('Name of an issuer of `ostiary.yaml`')
    .meta({ examples: ['entra'] }),
  claim: z
    .string()
    .describe('A claim that this issuer brings or declares')
    .meta({ examples: ['roles', 'groups'] }),
  any: values
    .optional()
    .describe('Held if the claim has at least one of these values')
    .meta({ examples: [['Orders.Read']] }),
  all: values.optional().describe('Held if the list has all of these values'),
  none: values.optional().describe('Held if the claim has none of these values'),
  kind: principalKind.optional().describe('Only principals of this kind'),
  breakGlass: z.strictObject({ until: instant }).optional().describe('Lets the binding name one person, until then'),
})

const said = z.string().optional().describe('For whoever reads it, here and in explanations')

const role = z.strictObject({
  description: said,
  bind: z.array(bindingSchema).default([]).describe('Any of them gives the role. An environment may add more'),
  eligible: z
    .array(bindingSchema)
    .default([])
    .describe('Whom it may be given to for a time. They hold it only while it is activated for them'),
  includes: z.array(z.string()).max(1000).default([]).describe('Roles that whoever holds this one holds as well'),
})

const names = z.union([z.string(), z.array(z.string()).min(1).max(1000)])
const resource = z.union([
  z.string(),
  z.array(z.string()).min(1).max(1000),
  z.strictObject({ labels: z.record(z.string(), z.string()).describe('Every resource that has all of these labels') }),
])
const onWhat = resource
  .describe('On what: a name, several, or a selector by labels')
  .meta({ examples: ['orders', ['orders', 'wiki'], { labels: { tier: 'business' } }] })
const actions = z
  .array(z.string())
  .min(1)
  .max(1000)
  .describe('For http: `GET /orders/{id}`, `* /admin/**`')
  .meta({ examples: [['GET /orders/{id}', 'POST /orders']] })
const when = z
  .string()
  .describe('A CEL expression over `claims`, `context`, `request` and `params`')
  .meta({ examples: ['params.owner == claims.sub', "inCidr(context.ip, '10.0.0.0/8')"] })

const rule = z.strictObject({
  id: name()
    .describe('Unique over all rules and guardrails; stands in records and explanations')
    .meta({ examples: ['read-orders'] }),
  description: said,
  role: names
    .describe('Who: a role or several, any of which is enough. `everyone` and `authenticated` are built in')
    .meta({ examples: ['reader', ['reader', 'publisher']] }),
  resource: onWhat,
  actions,
  peer: names
    .optional()
    .describe('Only if the other end of the connection, proven by its certificate or SPIFFE ID, holds this role or one of several'),
  when: when.optional(),
})

const requirements = z
  .strictObject({
    mfa: z.literal(true).optional().describe('More than one factor'),
    authContext: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
      .optional()
      .describe('An authentication context, such as `c1` of Entra ID'),
    proofOfPossession: z
      .enum(['any', 'dpop', 'mtls'])
      .optional()
      .describe(
        'A token that is bound to a key which the caller proves to have: by DPoP (RFC 9449), by its TLS certificate (RFC 8705), or either',
      ),
    device: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
      .optional()
      .describe('A device of this kind, such as `managed`. How each issuer shows it is said by its `stepUp`'),
    network: z
      .array(z.string())
      .min(1)
      .max(1000)
      .optional()
      .describe('An address in one of these networks: `10.0.0.0/8`')
      .meta({ examples: [['10.0.0.0/8']] }),
    justification: z
      .union([
        z.literal(true),
        z.strictObject({
          matches: z
            .string()
            .min(1)
            .max(512)
            .describe('An RE2 pattern for the whole of it')
            .meta({ examples: ['OPS-[0-9]+: .+'] }),
        }),
      ])
      .optional()
      .describe(
        'That the caller says what it is for; `matches` is an RE2 pattern that the whole of it has to match, such as `OPS-[0-9]+: .+`',
      ),
    approval: z
      .strictObject({
        from: z.array(z.string()).min(1).max(100).describe('Roles, holders of any of which may approve'),
        count: z.int().min(1).max(10).default(1).describe('How many different people have to'),
      })
      .optional()
      .describe('That somebody else approves exactly this action'),
  })
  .describe('What has to be proven, said or approved first, all of it. How each issuer proves it is said by its `stepUp`')

const mask = z
  .union([
    z.enum(['drop', 'null', 'hash']),
    z.strictObject({ constant: claimValue.describe('What stands there instead') }),
    z.strictObject({
      partial: z
        .strictObject({
          first: z.int().min(0).max(64).default(0).describe('Characters that stay at its beginning'),
          last: z.int().min(0).max(64).default(0).describe('Characters that stay at its end'),
        })
        .describe('How many characters stay at its beginning and end; the rest becomes one `…`'),
    }),
  ])
  .describe('What becomes of it: it goes, becomes null, a keyed hash, a constant, or keeps some characters')

const limit = z.strictObject({
  requests: z.int().min(1).max(1_000_000_000).describe('How many in the window'),
  in: duration().describe('The window, such as `1m`'),
  per: z
    .enum(['principal', 'client', 'address', 'issuer', 'everyone'])
    .default('principal')
    .describe('Whose requests count together. Callers without a credential count by address'),
})

const guardrail = z.strictObject({
  id: name()
    .describe('Unique over all rules and guardrails; stands in records and explanations')
    .meta({ examples: ['deletes-with-mfa'] }),
  description: said,
  deny: actions
    .optional()
    .describe('What it denies')
    .meta({ examples: [['DELETE /**']] }),
  require: requirements.optional(),
  mask: z
    .record(z.string().min(1).max(512), mask)
    .optional()
    .describe('Fields of what is answered, by JSONPath (RFC 9535): `$.customer.email`, `$.items[*].card`, `$..iban`')
    .meta({ examples: [{ '$.customer.email': 'hash' }] }),
  limit: limit.optional().describe('How many requests in how long'),
  record: z.literal('strict').optional().describe('The record has to be on disk before the effect'),
  actions: actions.optional().describe('Of everything but `deny`: which actions it is about'),
  resource: onWhat,
  for: z
    .array(z.string())
    .min(1)
    .max(1000)
    .optional()
    .describe('Applies to whoever holds one of these roles, or may hold it')
    .meta({ examples: [['contractor']] }),
  allBut: z
    .array(z.string())
    .min(1)
    .max(1000)
    .optional()
    .describe('Applies to everybody who does not hold one of these roles')
    .meta({ examples: [['admin']] }),
  when: when.optional(),
  mode: z.literal('observe').optional().describe('Lets through what it would stop, and says so in the record. It needs `until`'),
  until: instant.optional().describe('With `mode: observe`: enforced from then on'),
})

const team = z.strictObject({
  description: said,
  owns: z.array(resource).min(1).max(1000).describe('Resources that files of `policy/<team>/` may speak of, by name, names or labels'),
})

/** A file of `policy/**`. */
export const policySchema = z.strictObject({
  apiVersion: z.literal(API_VERSION).describe('Version of this form; always this'),
  roles: z.record(z.string(), role).default({}).describe('Names for what claims prove'),
  rules: z.array(rule).default([]).describe('They only grant'),
  guardrails: z.array(guardrail).default([]).describe('They only take away'),
  teams: z
    .record(z.string(), team)
    .default({})
    .describe('Folders of `policy/` that may speak of their own resources only. In files of `policy/` itself'),
})

const party = z.strictObject({
  issuer: z.string().describe('Name of an issuer of `ostiary.yaml`'),
  subject: z.string().default('test').describe('Who it is among those of the issuer'),
  kind: principalKind.optional().describe('Default: human, or workload where `appOnly`'),
  claims: z
    .record(z.string(), z.union([claimValue, z.array(z.string())]))
    .default({})
    .describe('Claims and their values, as the issuer declares them')
    .meta({ examples: [{ roles: ['Orders.Read'] }] }),
  unknown: z.array(z.string()).default([]).describe('Claims whose value can not be told, as after a group overage'),
  scopes: z.array(z.string()).optional().describe('Scopes of a delegated token'),
  appOnly: z.boolean().default(false).describe('Of a program by itself, on behalf of nobody'),
  listedClient: z.boolean().default(false).describe('Of a client that `clients:` of its issuer lists'),
})

type PartyInput = z.input<typeof party> & { actor?: PartyInput | undefined }
type PartyOutput = z.output<typeof party> & { actor?: PartyOutput | undefined }

/** A party as tests and questions describe it. */
export const partySchema = party.extend({
  get actor() {
    return actingParty.optional().describe('Who acts for this one')
  },
})

const actingParty: z.ZodType<PartyOutput, PartyInput> = partySchema

const testCase = z.strictObject({
  principal: z
    .union([z.literal('anonymous'), actingParty])
    .optional()
    .describe('Who does it; `anonymous` without a credential'),
  does: z
    .string()
    .optional()
    .describe('A concrete action: `GET /orders/7`')
    .meta({ examples: ['GET /orders/7'] }),
  on: z.string().optional().describe('A resource'),
  expect: z.enum(['allow', 'challenge', 'needs-approval', 'deny']).optional().describe('What has to come out'),
  because: z
    .string()
    .optional()
    .describe('Id of the rule or guardrail, or code of a reason, that must be among the reasons')
    .meta({ examples: ['read-orders', 'role-not-held'] }),
  at: instant.optional(),
  from: z.string().optional().describe('Address of the caller; default: 192.0.2.1'),
  peer: z
    .union([z.literal('none'), actingParty])
    .optional()
    .describe('The other end of the connection; default: none is proven'),
  justification: z.string().optional().describe('What the caller says that it is for'),
  approved: z.array(z.string()).optional().describe('Guardrails whose approval was given'),
  active: z.array(z.string()).optional().describe('Eligible roles that are activated for the principal'),
  observed: z
    .union([z.enum(['allow', 'challenge', 'needs-approval', 'deny']), z.literal('nothing')])
    .optional()
    .describe('What it would have come out as if nothing were only observed; `nothing` if that makes no difference'),
})

const policyTest = testCase.extend({
  name: z.string().min(1).describe('What it shows, in words'),
  cases: z
    .array(testCase)
    .min(1)
    .max(10_000)
    .optional()
    .describe('A table: each row is a test of its own, with what is said beside the table where the row says nothing'),
})

/** A file of `policy/**` whose name ends in `.test.yaml`. */
export const policyTestSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION).describe('Version of this form; always this'),
  tests: z.array(policyTest).max(100_000).describe('Who may and may not do what, and why'),
})

export type BindingText = z.output<typeof bindingSchema>
export type RuleText = z.output<typeof rule>
export type GuardrailText = z.output<typeof guardrail>
export type ResourceText = z.output<typeof resource>
export type MaskText = z.output<typeof mask>
export type LimitText = z.output<typeof limit>
export type TeamText = z.output<typeof team>
export type RequirementsText = z.output<typeof requirements>
export type PolicyText = z.output<typeof policySchema>
export type PolicyTestText = z.output<typeof policyTest>
export type TestCaseText = z.output<typeof testCase>
export type PartyText = PartyOutput
