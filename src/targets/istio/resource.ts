/** One resource of the policy for the workload that carries it, or why it can't. */
import type { Wiring } from '../../config/schema.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import type { Span } from '../../core/span.ts'
import { all, payload, test, type NativeIssuer } from '../../core/token.ts'
import { CHECKED } from '../../envoy/metadata.ts'
import { NoNativeForm, type NativeResource, type NotNative } from '../../policy/native/native.ts'
import type { NativeIssuers, TargetDocument } from '../target.ts'
import { settledBy, type Assumption } from './assume.ts'
import { hostsOf, wantsRecordFirst, wiringProblems, type WiredResource } from './carried.ts'
import type { Asking, Conditions } from './conditions.ts'
import { toldCredential, type ToldCredential } from './credential.ts'
import { attachmentOf, MAX_POLICIES, type Attachment, type Documents, type Named } from './documents.ts'
import { observationText, phasesOf } from './observed.ts'
import { principalsIn } from './peers.ts'
import { Rules, type IstioRule } from './rules.ts'
import type { IstioTarget, IstioWorkload } from './schema.ts'

export interface PlannedResource {
  readonly name: string
  readonly workload: IstioWorkload
  readonly attachment: Attachment
  readonly hosts: readonly string[]
  readonly ports: readonly string[]
  readonly forwardsToken: boolean
  readonly issuers: readonly NativeIssuer[]
  /** What tokens must not show, by the `iss` of their issuer. */
  readonly unfit: ReadonlyMap<string, Conditions>
  readonly denials: readonly TargetDocument[]
  /** Whether the gateway is asked about each request, and nothing of its policy is told to the mesh. */
  readonly delegated: boolean
  readonly grants: readonly TargetDocument[]
  /** Dry runs of what will grant, and of what will deny. */
  readonly tried: { readonly grants: readonly TargetDocument[]; readonly denials: readonly TargetDocument[] }
  /** Milliseconds since the epoch: something is enforced from then on that is only tried now. */
  readonly until?: number
  readonly rules: number
  readonly guardrails: number
  /** Classes that it relies on, with what of which issuer each is about. */
  readonly assumed: ReadonlyMap<Assumption, ReadonlySet<string>>
  readonly narrower: readonly string[]
  /** Errors: as long as there is one, nothing of it may be applied. */
  readonly refused: readonly NotNative[]
  readonly unkept: readonly string[]
}

export interface ResourceInput {
  readonly name: string
  readonly wired: WiredResource
  readonly workload: IstioWorkload
  readonly config: IstioTarget
  readonly policy: CompiledPolicy
  readonly wiring: Wiring
  readonly issuers: NativeIssuers
  readonly documents: Documents
}

/** Claims that are words in one text, besides those that Istio takes apart anyway: from this minor version on it can be told to. */
const SPLITS_SINCE = 28
export const SPLIT = ['scp'] as const

export function splitBy({ version }: Pick<IstioTarget, 'version'>): readonly string[] {
  return Number(version.split('.')[1]) >= SPLITS_SINCE ? SPLIT : []
}

/** Each request is put to the gateway, and passes only with its answer: where nobody was asked, nothing is allowed. */
export function planDelegated({ name, wired, workload, config, documents }: ResourceInput): PlannedResource {
  const attachment = attachmentOf(workload)
  const hosts = hostsOf(wired, workload.ports)
  const ports = workload.ports.map(String).toSorted()
  const to = [{ operation: { hosts, ports } }]
  const answered = [{ key: `experimental.${CHECKED.filter}[${CHECKED.key}]`, values: [name] }]
  return {
    name,
    workload,
    attachment,
    hosts,
    ports,
    forwardsToken: wired.forwardAuthorization,
    delegated: true,
    issuers: [],
    unfit: new Map(),
    denials: [
      documents.authorization({ what: 'ask', resource: name }, attachment, {
        action: 'CUSTOM',
        provider: { name: config.provider!.name },
        rules: [{ to }],
      }),
    ],
    grants: [documents.authorization({ what: 'asked', resource: name }, attachment, { action: 'ALLOW', rules: [{ to, when: answered }] })],
    tried: { grants: [], denials: [] },
    rules: 0,
    guardrails: 0,
    assumed: new Map<Assumption, ReadonlySet<string>>([['one-way-in', new Set()]]),
    narrower: ['hosts with another port than 80, 443 and those of the workload, or with a dot at their end'],
    refused: [],
    unkept: [...wiringProblems(wired), ...pathProblems(config)],
  }
}

export function planResource(input: ResourceInput): PlannedResource {
  const { name, wired, workload, config, policy, wiring, documents } = input
  const assumed = new Map<Assumption, Set<string>>()
  const assume = (one: Assumption, what: Iterable<string> = []): void => {
    const all = assumed.get(one) ?? new Set()
    assumed.set(one, all)
    for (const about of what) all.add(about)
  }
  const narrower = new Set<string>()
  const refused: NotNative[] = []
  const asking: Asking = {
    settled: settledBy(new Set(config.assume), assume),
    split: new Set(splitBy(config)),
    addresses: config.addresses,
    needs: (one) => assume(one),
    narrower: (text) => void narrower.add(text),
  }
  const phases = phasesOf(policy, name, { issuers: input.issuers, peersOf: principalsIn(policy, wiring, config) })
  const { open, observations } = phases
  const now = withLifetime(phases.now, wired.maxTokenLifetime)
  const after = phases.after && withLifetime(phases.after, wired.maxTokenLifetime)
  const coming = after ?? now
  refused.push(...phases.refused)
  if (wantsRecordFirst(wired)) refused.push(refusal('`record: strict` wants a record before the effect'))
  const told = credentialsOf(now, asking, assume, (why) => void refused.push(refusal(why)))
  const credentials = new Map([...told].map(([form, { conditions }]) => [form, conditions]))
  const attachment = attachmentOf(workload)
  const hosts = hostsOf(wired, workload.ports)
  const ports = workload.ports.map(String).toSorted()
  const always = wired.websocket === false ? [{ key: 'request.headers[upgrade]', notValues: ['*'] }] : []
  const forwardsToken = wired.forwardAuthorization
  const rulesOf = (native: NativeResource): Rules => new Rules({ native, asking, credentials, hosts, ports, always, forwardsToken })
  const [enforcing, trying] = [rulesOf(now), rulesOf(coming)]
  const emitted = (
    what: Pick<Named, 'what' | 'dryRun'>,
    action: 'ALLOW' | 'DENY',
    { id, span }: { readonly id?: string; readonly span?: Span },
    made: () => readonly IstioRule[],
  ): readonly TargetDocument[] => {
    try {
      const of = { ...what, resource: name, ...(id === undefined ? {} : { id }) }
      const all = documents.authorizations(of, attachment, action, made())
      if (all === undefined) throw new NoNativeForm(`it takes more than ${MAX_POLICIES} policies`)
      return all
    } catch (error) {
      if (!(error instanceof NoNativeForm)) throw error
      // A denial beside the others only says who denied: they have it cut out.
      if (action === 'ALLOW' && !refused.some((one) => one.id === id && one.why === error.message))
        refused.push({ id, why: error.message, span })
      return []
    }
  }
  const sees = workload.mode !== 'ztunnel'
  if (!sees)
    for (const { id, span } of open === undefined ? coming.rules : [refusal(''), ...coming.rules])
      refused.push({ id, why: 'a ztunnel sees neither token nor host, method or path: it would have to let everything through', span })
  const granted = (native: NativeResource, rules: Rules, dryRun = false): readonly TargetDocument[] =>
    sees ? native.rules.flatMap((rule) => emitted({ what: 'allow', dryRun }, 'ALLOW', rule, () => rules.allowing(rule))) : []
  const denied = (native: NativeResource, rules: Rules, dryRun: boolean): readonly TargetDocument[] =>
    sees ? native.guardrails.flatMap((one) => emitted({ what: 'deny', dryRun }, 'DENY', one, () => rules.denying(one))) : []
  const observing = sees && open !== undefined ? emitted({ what: 'observe' }, 'ALLOW', {}, () => enforcing.allowing(open)) : []
  const grants = open === undefined ? granted(now, enforcing) : observing
  // What comes after it is made in any case: who can't begin with it later must not begin to observe.
  const will = after === undefined ? [] : granted(after, trying, true)
  const isEnforced = new Set(now.guardrails.map(({ id }) => id))
  const watched = { ...coming, guardrails: coming.guardrails.filter(({ id }) => !isEnforced.has(id)) }
  // Once it has ended, what let everything through is closed where it was, and not only gone for whoever removes what is left over.
  const closed = phases.hasEnded && sees ? [documents.authorization({ what: 'observe', resource: name }, attachment, {})] : []
  if (coming.rules.some(({ peers = [] }) => peers.length > 0)) assume('one-trust-domain')
  if (observations.length > 0)
    assume(
      'reapplied-when-observation-ends',
      observations.map((one) => observationText(name, one)),
    )
  for (const one of generalOf(now, config, grants.length + will.length > 0, enforcing.hasOpenPaths || trying.hasOpenPaths)) assume(one)
  return {
    name,
    workload,
    attachment,
    hosts,
    ports,
    forwardsToken,
    delegated: false,
    issuers: sees ? now.issuers : [],
    unfit: new Map(sees ? now.issuers.map(({ iss, form }) => [iss, told.get(form)?.unfit ?? []]) : []),
    denials: [...closed, ...denied(now, enforcing, false)],
    grants,
    tried: { grants: open === undefined ? [] : will, denials: denied(watched, trying, true) },
    ...(observations.length === 0 ? {} : { until: observations[0]!.until }),
    rules: coming.rules.length,
    guardrails: coming.guardrails.length,
    assumed,
    narrower: [...narrower, ...now.issuers.flatMap((issuer) => issuer.narrower), ...(grants.length > 0 ? NARROWER : [])],
    refused,
    unkept: [...wiringProblems(wired), ...pathProblems(config)],
  }
}

function refusal(why: string): NotNative {
  return { id: undefined, why, span: undefined }
}

/** What a mesh refuses that Ostiary's own door may accept, whatever the policy says. */
const NARROWER = [
  'methods that neither are standard nor stand in the policy',
  'hosts with another port than 80, 443 and those of the workload, or with a dot at their end',
  'segments with a `*` in place of a `{parameter}`',
  'paths in another spelling than the policy’s, where a segment is written out',
  'requests with a header by which somebody could say who calls',
]

/** Without it a path that is decided on could be another than the one that the workload reads. */
function pathProblems({ pathNormalization }: IstioTarget): readonly string[] {
  if (pathNormalization === 'MERGE_SLASHES' || pathNormalization === 'DECODE_AND_MERGE_SLASHES') return []
  return [`with \`pathNormalization: ${pathNormalization}\` a path has many spellings: \`MERGE_SLASHES\` is the least`]
}

/** What no token shows: it is there as soon as anything is let through. */
function generalOf(
  { issuers }: NativeResource,
  { keys, pathNormalization }: IstioTarget,
  grants: boolean,
  isOpen: boolean,
): readonly Assumption[] {
  if (!grants) return []
  return [
    'no-identity-headers',
    'one-way-in',
    ...(issuers.length === 0 ? [] : (['first-credential-counts', 'longer-clock-skew', 'unrevoked-tokens'] as const)),
    ...(issuers.length === 0 || keys === 'inline' ? [] : (['published-keys'] as const)),
    ...(isOpen ? (['escaped-characters'] as const) : []),
    ...(isOpen && pathNormalization !== 'DECODE_AND_MERGE_SLASHES' ? (['escaped-slashes'] as const) : []),
  ]
}

function credentialsOf(
  { issuers }: NativeResource,
  asking: Asking,
  assume: (one: Assumption, what: Iterable<string>) => void,
  refuse: (why: string) => void,
): ReadonlyMap<string, ToldCredential> {
  return new Map(
    issuers.flatMap((issuer) => {
      try {
        const told = toldCredential(issuer, asking)
        for (const [one, names] of told.assumed)
          assume(
            one,
            [...names].map((about) => `\`${about}\` of \`${issuer.name}\``),
          )
        return [[issuer.form, told] as const]
      } catch (error) {
        if (!(error instanceof NoNativeForm)) throw error
        refuse(`of tokens of issuer \`${issuer.name}\`, ${error.message}`)
        return []
      }
    }),
  )
}

function withLifetime(native: NativeResource, most: number | undefined): NativeResource {
  if (most === undefined) return native
  const span = test({ is: 'span', path: payload('exp'), since: payload('iat'), most: most / 1000 })
  return { ...native, issuers: native.issuers.map((issuer) => ({ ...issuer, credential: all(issuer.credential, span) })) }
}
