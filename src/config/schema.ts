import { z } from 'zod'
import { bytes, duration, listenAddress, name, secureUrl } from './fields.ts'
import { keyVault, type KeyVaultConfig } from './keyvault.ts'
import { rolloutSchema, type Rollout } from './rollout.ts'

export const API_VERSION = 'ostiary.dev/v1'

/** The declared type of a claim. `list` is a list of strings. */
export const claimType = z.enum(['string', 'number', 'boolean', 'list'])
export type ClaimType = z.output<typeof claimType>

/** A claim that policy may speak of: its type, and where it is in the token if not at the top level under its own name. */
export const claimDeclaration = z.union([
  claimType,
  z.strictObject({
    type: claimType.describe('Type of its value; `list` is a list of texts'),
    path: z.array(z.string().min(1)).min(1).max(8).optional().describe('Path in the token, for nested claims: `[realm_access, roles]`'),
  }),
])

/** The claim and its values by which something is proven; `never` where it can't be. */
const proof = z.union([
  z.strictObject({
    claim: z
      .string()
      .describe('The claim that shows it')
      .meta({ examples: ['acrs', 'amr', 'acr'] }),
    any: z
      .array(z.union([z.string(), z.number()]))
      .min(1)
      .max(100)
      .describe('Values, one of which it has to have')
      .meta({ examples: [['c1'], ['mfa']] }),
  }),
  z.literal('never'),
])

const stepUp = z.union([
  z.literal('never'),
  z.strictObject({
    mfa: proof.optional().describe('What shows that more than one factor was used. It has to be said wherever a guardrail requires `mfa`'),
    authContext: z
      .record(z.string(), proof)
      .default({})
      .describe('What shows each authentication context; default for Entra ID: `acrs` has its name'),
    device: z.record(z.string(), proof).default({}).describe('What shows each kind of device that a guardrail requires, such as `managed`'),
  }),
])

/** What every issuer has, whatever its kind. Kinds extend it in `identity/<kind>/schema.ts`. */
export const issuerBase = z.strictObject({
  kind: z.string().describe('What kind of issuer it is'),
  claims: z
    .record(z.string(), claimDeclaration)
    .default({})
    .describe('Claims that policy may speak of, besides those that the kind brings'),
  audiences: z
    .array(z.string().min(1))
    .min(1)
    .describe('Accepted `aud` values, compared byte by byte')
    .meta({ examples: [['api://orders']] }),
  clients: z.array(z.string().min(1)).default([]).describe('Client ids whose app-only tokens are admitted without a role in the token'),
  agents: z
    .array(z.string().min(1))
    .default([])
    .describe('Client ids that are agents: each is a party of its own wherever it acts for somebody'),
  stepUp: stepUp.optional().describe('How its principals prove what guardrails `require`; `never` for all where they can prove nothing'),
})

/** What every resource has, whatever its protocol. Protocols extend it in `doors/<kind>/schema.ts`. */
export const resourceBase = z.strictObject({
  protocol: z.string().describe('What it speaks'),
  description: z.string().optional().describe('For whoever reads it'),
  labels: z
    .record(z.string(), z.string())
    .default({})
    .describe('By which policy may select it')
    .meta({ examples: [{ tier: 'business' }] }),
  issuers: z.array(name()).optional().describe('Issuers whose principals may come here; default: all'),
  scopes: z
    .record(z.string(), z.array(z.string().min(1)))
    .optional()
    .describe(
      'What each scope of a delegated token covers, as actions. With it, a delegated token is limited to the actions of its scopes',
    ),
  maxTokenLifetime: duration()
    .optional()
    .describe('Longest life of a token that is accepted here; default: what its issuer accepts. Sessions are not meant'),
  record: z.enum(['strict', 'spool', 'best-effort']).default('spool').describe('How much an effect insists on its record'),
  observe: z
    .strictObject({ until: z.string().describe('RFC 3339, such as `2026-12-31T00:00:00Z`: enforced from then on') })
    .optional()
    .describe('Lets through what the policy would deny, and says so in the record, until then. A credential has to be good all the same'),
})

/** What every target has, whatever its kind. Kinds extend it in `targets/<kind>/schema.ts`. */
export const targetBase = z.strictObject({
  kind: z.string().describe('What kind of enforcement point it is'),
  description: z.string().optional().describe('For whoever reads it'),
  places: z
    .record(
      name(),
      z
        .record(z.string(), z.unknown())
        .refine(
          (place) => !['kind', 'places'].some((key) => Object.hasOwn(place, key)),
          'a place has neither `kind` nor `places` of its own',
        ),
    )
    .refine((places) => Object.keys(places).length > 0, 'name a place')
    .optional()
    .describe(
      'The same in several places, by names of yours: each is a target of its own, `target@place`, with what is written here laid over the rest',
    )
    .meta({ examples: [{ 'eu-1': { context: 'prod-eu-1' }, 'us-1': { context: 'prod-us-1' } }] }),
})

const audit = z.strictObject({
  segmentSize: bytes()
    .default(64 * 1024 ** 2)
    .describe('A segment is closed when it reaches this size'),
  keepFor: duration()
    .default(90 * 86_400_000)
    .describe('Closed segments older than this are removed'),
  keepAtMost: bytes()
    .default(10 * 1024 ** 3)
    .describe('The oldest closed segments are removed when all together are larger'),
  queue: bytes()
    .default(16 * 1024 ** 2)
    .describe('Records that wait for the disk; full, `spool` and `strict` refuse'),
  checkpointEvery: duration().default(1000).describe('How often the end of the chain is signed'),
  anchors: z
    .array(z.strictObject({ file: z.string().min(1).describe('File that they are appended to') }))
    .default([])
    .describe('Where signed checkpoints also go, outside the data directory'),
})

const sessions = z.strictObject({
  idle: duration().default(3_600_000).describe('A browser session ends after this long without a request'),
  absolute: duration()
    .default(12 * 3_600_000)
    .describe('A browser session ends this long after sign-in'),
  maximum: z.int().min(1).max(10_000_000).default(100_000).describe('Sessions kept at most; further sign-ins are refused'),
})

const activations = z.strictObject({
  atMost: duration()
    .refine((ms) => ms >= 60_000 && ms <= 30 * 86_400_000, 'write from `1m` to `30d`')
    .default(8 * 3_600_000)
    .describe('Longest time for which somebody may activate an eligible role'),
})

const dpop = z.strictObject({
  nonce: z
    .enum(['optional', 'required'])
    .default('optional')
    .describe('Whether a proof has to hold a nonce that this gateway gave in the last five minutes (RFC 9449 §8)'),
})

const assertions = z.strictObject({
  issuer: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe('`iss` of assertions, such as `https://gateway.example.com`; default: `name`. Whoever finds keys by discovery needs a URL'),
})

const admin = z.strictObject({
  listen: listenAddress().prefault('127.0.0.1:8081').describe('Where admin API and console are'),
  publicUrl: z.string().optional().describe('URL under which people reach the console; default: the listener, for loopback'),
  hosts: z.array(z.string()).default([]).describe('Further Host values that are accepted'),
})

const outbound = z.strictObject({
  proxy: secureUrl().optional().describe('Proxy for requests of the gateway itself (keys, sign-in); default: HTTPS_PROXY and NO_PROXY'),
  ca: z.string().optional().describe('PEM file of further authorities that the gateway trusts for its own requests'),
})

/** Schemas that the families below hand in, by kind. */
export interface Families {
  readonly issuers: Readonly<Record<string, z.ZodType>>
  readonly resources: Readonly<Record<string, z.ZodType>>
  readonly doors: Readonly<Record<string, z.ZodType>>
  readonly targets: Readonly<Record<string, z.ZodType>>
}

/** One of several kinds, told apart by a key of theirs, so that findings speak of the kind that was meant. */
function kinds(key: 'kind' | 'protocol', families: Readonly<Record<string, z.ZodType>>): z.ZodType {
  const options = Object.values(families)
  if (options.length === 0) return z.never()
  if (options.length === 1) return options[0]!
  const known = Object.keys(families).map((kind) => `\`${kind}\``)
  return z.discriminatedUnion(key, options as unknown as [z.core.$ZodTypeDiscriminable, z.core.$ZodTypeDiscriminable], {
    error: `must be ${known.join(' or ')}`,
  })
}

/** The schema of `ostiary.yaml` for the kinds that are built in. */
export function wiringSchema(families: Families) {
  const doors = Object.fromEntries(Object.entries(families.doors).map(([kind, schema]) => [kind, schema.optional()]))
  return z.strictObject({
    apiVersion: z.literal(API_VERSION).describe('Version of this form; always this'),
    name: name().default('ostiary').describe('Name of this gateway, in records and as issuer of its assertions'),
    dataDir: z
      .string()
      .min(1)
      .default('data')
      .describe('Keys, sessions, records and kept policy versions; relative to the configuration folder'),
    onWiden: z
      .enum(['apply', 'hold'])
      .default('apply')
      .describe(
        'What becomes of a new version that gives anybody more than the one in force, or of which that is not proven: it is in force at once, or waits until somebody releases it',
      ),
    issuers: z.record(name(), kinds('kind', families.issuers)).describe('Who is believed about whom, by names of yours'),
    resources: z.record(name(), kinds('protocol', families.resources)).describe('What is guarded and where it is, by names of yours'),
    doors: z.strictObject(doors).describe('Where the gateway listens, by protocol'),
    targets: z
      .record(name(), kinds('kind', families.targets))
      .default({})
      .describe('Enforcement points that the policy is compiled for, by names of yours'),
    rollout: rolloutSchema
      .optional()
      .describe('In which order enforcement points get a new version; without it, `ostiary rollout` and Envoys know one stage'),
    admin: admin.prefault({}).describe('The admin listener: API, console, metrics'),
    audit: audit.prefault({}).describe('The record of what was decided and done'),
    sessions: sessions.prefault({}).describe('Sessions of browsers'),
    activations: activations.prefault({}).describe('Eligible roles that are active for a time'),
    dpop: dpop.prefault({}).describe('Proofs of possession (RFC 9449)'),
    assertions: assertions.prefault({}).describe('What the gateway itself says to upstreams of callers'),
    outbound: outbound.prefault({}).describe('Requests of the gateway itself'),
    keyVault: keyVault.prefault({}).describe('How `keyvault://` references are read'),
  })
}

const bindings = z.record(name(), z.array(z.unknown()))

/** What an environment says besides wiring. Its bindings are read by the policy. */
export const environmentExtras = z.strictObject({
  apiVersion: z.literal(API_VERSION).describe('Version of this form; always this'),
  bindings: bindings.default({}).describe('Bindings of declared roles, besides their own'),
})

export type StepUp = z.output<typeof stepUp>
export type IssuerBase = z.output<typeof issuerBase>
export type ResourceBase = z.output<typeof resourceBase>
export type TargetBase = z.output<typeof targetBase>

/** The wiring after validation. Kind-specific keys are known to their own folder, which narrows by its schema's type. */
export interface Wiring {
  readonly name: string
  readonly dataDir: string
  readonly onWiden: 'apply' | 'hold'
  readonly issuers: Readonly<Record<string, IssuerBase>>
  readonly resources: Readonly<Record<string, ResourceBase>>
  readonly doors: Readonly<Record<string, unknown>>
  /** By place: `shop@eu-1` where a target has `places`, which are gone by then. */
  readonly targets: Readonly<Record<string, TargetBase>>
  readonly rollout?: Rollout | undefined
  readonly admin: z.output<typeof admin>
  readonly audit: z.output<typeof audit>
  readonly sessions: z.output<typeof sessions>
  readonly activations: z.output<typeof activations>
  readonly dpop: z.output<typeof dpop>
  readonly assertions: z.output<typeof assertions>
  readonly outbound: z.output<typeof outbound>
  readonly keyVault: KeyVaultConfig
}
