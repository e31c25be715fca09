/**
 * The policy as resources of Istio. First what denies everything, then what denies something, then what allows, and last what verifies
 * tokens: wherever it stops in between, less is let through than in the end.
 */
import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import type { NativeIssuer } from '../../core/token.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import type { Residue, TargetDocument, TargetInput, TargetResult } from '../target.ts'
import { ASSUMPTIONS, type Assumption } from './assume.ts'
import { wiredResource } from './carried.ts'
import { Documents, podsOf } from './documents.ts'
import { logProvider, telemetryOf } from './logs.ts'
import { headersDenied, tokensDenied } from './refused.ts'
import { jwtRulesOf, keyProblem } from './keys.ts'
import { planDelegated, planResource, splitBy, type PlannedResource } from './resource.ts'
import type { IstioTarget } from './schema.ts'

export function compileIstio(input: TargetInput<IstioTarget>): TargetResult {
  const { name, config, wiring, policy, issuers, revision } = input
  const target = `Istio \`${name}\``
  const documents = new Documents(name, revision)
  const diagnostics: Diagnostic[] = []
  const planned: PlannedResource[] = []
  for (const [resource, workload] of Object.entries(config.workloads)) {
    const wired = wiredResource(wiring, resource)
    if (wired === undefined) diagnostics.push(diagnostic('target/no-resource', { target, resource }, undefined))
    else
      planned.push(
        (config.delegate.includes(resource) ? planDelegated : planResource)({
          name: resource,
          wired,
          workload,
          config,
          policy,
          wiring,
          issuers,
          documents,
        }),
      )
  }
  diagnostics.push(...planned.flatMap((one) => refusals(one, name, target)))
  diagnostics.push(...unassumed(planned, config, name, target))
  diagnostics.push(...keyProblems(planned, input, target))
  diagnostics.push(...disagreements(planned, name, target))
  diagnostics.push(...overlaps(planned, name, target))
  return {
    documents: diagnostics.length > 0 ? [] : documentsOf(planned, input, documents),
    diagnostics,
    resources: planned.map(({ name: resource, delegated, rules, guardrails }) => ({ name: resource, delegated, rules, guardrails })),
    residues: residuesOf(planned, config, input),
    ...untilOf(planned),
    needs: [
      ...(planned.some(({ delegated }) => delegated) ? [extensionProvider(config)] : []),
      ...(config.logs ? [logProvider(config)] : []),
    ],
  }
}

function documentsOf(
  planned: readonly PlannedResource[],
  { config, keys }: TargetInput<IstioTarget>,
  documents: Documents,
): readonly TargetDocument[] {
  const workloads = groups(planned)
  const pods = planned.filter(({ workload }) => workload.mode === 'waypoint')
  const everything = [...workloads.map(([first]) => first.attachment), ...pods.map(({ workload }) => podsOf(workload))]
  return [
    ...[...new Map(everything.map((one) => [one.key, one])).values()].map((one) =>
      documents.authorization({ what: 'allow-nothing' }, one, {}),
    ),
    ...workloads.flatMap((all) => {
      const [{ attachment, workload }] = all
      // Of these it would see the ports alone, and deny whatever comes there.
      if (workload.mode === 'ztunnel') return []
      const ports = unique(all.flatMap((one) => one.ports))
      const unfit = new Map(all.flatMap((one) => [...one.unfit]))
      // What the gateway says of a caller whom it was asked about comes in such headers, over whatever the caller sent.
      const asked = unique(all.flatMap((one) => (one.delegated ? one.hosts : [])))
      return [headersDenied(documents, attachment, ports, asked), ...tokensDenied(documents, attachment, unfit, ports)]
    }),
    ...planned.flatMap(({ denials }) => denials),
    // What grants nothing any more, before anything grants; what denies nothing any more, when everything else is there.
    ...planned.flatMap(({ tried }) => tried.grants),
    ...pods.map(({ name, workload }) => {
      const { serviceAccount, namespace = workload.namespace } = workload.waypoint!
      const principals = [`${config.trustDomain}/ns/${namespace}/sa/${serviceAccount}`]
      return documents.authorization({ what: 'waypoint', resource: name }, podsOf(workload), {
        action: 'ALLOW',
        rules: [{ from: [{ source: { principals } }] }],
      })
    }),
    ...planned.flatMap(({ grants }) => grants),
    ...(config.keys === 'uri' && config.serviceEntries ? serviceEntries(planned, config, documents) : []),
    ...workloads.flatMap((all) => {
      const accepted = issuersOf(all)
      const jwtRules = jwtRulesOf({ issuers: accepted, config, keys, forwardsToken: all[0].forwardsToken, split: splitBy(config) })
      return jwtRules.length === 0 ? [] : [documents.requestAuthentication({ what: 'tokens' }, all[0].attachment, jwtRules)]
    }),
    ...(config.logs
      ? workloads.flatMap(([{ attachment, workload }]) => (workload.mode === 'ztunnel' ? [] : [telemetryOf(documents, attachment, config)]))
      : []),
    ...planned.flatMap(({ tried }) => tried.denials),
  ]
}

/** Until the first observation ends. */
function untilOf(planned: readonly PlannedResource[]): Pick<TargetResult, 'until'> {
  const ends = planned.flatMap(({ until }) => until ?? [])
  return ends.length === 0 ? {} : { until: Math.min(...ends) }
}

/** Whoever waits long, or lets through where nobody answers, has been asked in vain. */
function extensionProvider({ provider }: IstioTarget): NonNullable<TargetResult['needs']>[number] {
  const { name, service, port, timeout } = provider!
  return {
    text: 'the mesh has to know whom to ask (`meshConfig`); until it does, what is asked about is refused',
    document: {
      extensionProviders: [
        { name, envoyExtAuthzGrpc: { service, port, timeout: `${timeout / 1000}s`, failOpen: false, statusOnError: '503' } },
      ],
    },
  }
}

type Group = readonly [PlannedResource, ...PlannedResource[]]

/** Resources by the workload that they share: it verifies tokens once for all of them. */
function groups(planned: readonly PlannedResource[]): readonly Group[] {
  const byKey = new Map<string, Group>()
  for (const one of planned) byKey.set(one.attachment.key, [...(byKey.get(one.attachment.key) ?? []), one] as unknown as Group)
  return [...byKey.values()]
}

function issuersOf(all: readonly PlannedResource[]): readonly NativeIssuer[] {
  return [...new Map(all.flatMap(({ issuers }) => issuers.map((issuer) => [issuer.form, issuer] as const))).values()]
}

/** Hosts of keys, made known to the mesh in each namespace whose proxies get keys by themselves. */
function serviceEntries(planned: readonly PlannedResource[], { jwksUris }: IstioTarget, documents: Documents): readonly TargetDocument[] {
  return unique(planned.map(({ workload }) => workload.namespace)).flatMap((namespace) => {
    const names = new Set(issuersOf(planned.filter(({ workload }) => workload.namespace === namespace)).map((issuer) => issuer.name))
    const urls = [...names].flatMap((name) => (jwksUris[name] === undefined ? [] : [new URL(jwksUris[name])]))
    return [...new Map(urls.map((url) => [url.host, url])).values()].map((url) =>
      documents.serviceEntry({ what: 'keys', id: url.host }, namespace, {
        hosts: [url.hostname],
        exportTo: ['.'],
        ports: [{ number: url.port === '' ? 443 : Number(url.port), name: 'https', protocol: 'TLS' }],
        resolution: 'DNS',
        location: 'MESH_EXTERNAL',
      }),
    )
  })
}

function refusals({ name: resource, refused, unkept }: PlannedResource, name: string, target: string): readonly Diagnostic[] {
  const leave = `leave it out of \`targets.${name}.workloads\``
  const ask = `add it to \`targets.${name}.delegate\`, which needs \`provider\` and \`doors.envoy.checks\``
  return [
    ...refused.map(({ id, why, span }) =>
      diagnostic('target/not-native', { what: id ?? resource, target, why, resource, leave, ask }, span),
    ),
    ...unkept.map((why) => diagnostic('target/not-carried', { target, why, resource, leave }, undefined)),
  ]
}

/** Everything that is relied on has to be said. */
function unassumed(planned: readonly PlannedResource[], { assume }: IstioTarget, name: string, target: string): readonly Diagnostic[] {
  return (Object.keys(ASSUMPTIONS) as readonly Assumption[]).flatMap((assumption) => {
    const relying = planned.filter(({ assumed }) => assumed.has(assumption))
    if (relying.length === 0 || assume.includes(assumption)) return []
    const resources = relying.map((one) => `\`${one.name}\``).join(', ')
    const { what, ensure } = ASSUMPTIONS[assumption]
    return [diagnostic('target/can-not-tell', { target, what, ensure, assumption, name, resources }, undefined)]
  })
}

function keyProblems(
  planned: readonly PlannedResource[],
  { config, keys, name }: TargetInput<IstioTarget>,
  target: string,
): readonly Diagnostic[] {
  return issuersOf(planned).flatMap((issuer) => {
    try {
      jwtRulesOf({ issuers: [issuer], config, keys, forwardsToken: false, split: [] })
    } catch (error) {
      if (!(error instanceof NoNativeForm)) throw error
      return [diagnostic('target/no-keys', { target, issuer: issuer.name, why: error.message, help: 'change it' }, undefined)]
    }
    const why = keyProblem(issuer, config, keys)
    const help =
      config.keys === 'uri'
        ? `write \`targets.${name}.jwksUris.${issuer.name}\`, or \`keys: inline\``
        : 'see `ostiary doctor issuer` for what the issuer answers'
    return why === undefined ? [] : [diagnostic('target/no-keys', { target, issuer: issuer.name, why, help }, undefined)]
  })
}

/** A workload verifies tokens in one way. */
function disagreements(planned: readonly PlannedResource[], name: string, target: string): readonly Diagnostic[] {
  return groups(planned).flatMap((all) =>
    all
      .filter((one) => one.forwardsToken !== all[0].forwardsToken)
      .map(({ name: resource }) =>
        diagnostic(
          'target/not-carried',
          {
            target,
            resource,
            why: `\`forwardAuthorization\` is another than of \`${all[0].name}\`, with which it shares a workload`,
            leave: `leave it out of \`targets.${name}.workloads\``,
          },
          undefined,
        ),
      ),
  )
}

/** Pods of two selectors would verify each token twice, in two ways: nobody says which of them counts. */
function overlaps(planned: readonly PlannedResource[], name: string, target: string): readonly Diagnostic[] {
  const verifying = planned.filter(({ workload, issuers }) => workload.targetRef === undefined && issuers.length > 0)
  return verifying.flatMap((one, index) => {
    const other = verifying.slice(0, index).find((before) => before.attachment.key !== one.attachment.key && mayBeSame(before, one))
    if (other === undefined) return []
    const why = `its \`selector\` may be of the same pods as that of \`${other.name}\`: write one and the same, or labels by which they differ`
    const leave = `leave it out of \`targets.${name}.workloads\``
    return [diagnostic('target/not-carried', { target, resource: one.name, why, leave }, undefined)]
  })
}

function mayBeSame({ workload: a }: PlannedResource, { workload: b }: PlannedResource): boolean {
  const labels = b.selector ?? {}
  return (
    a.namespace === b.namespace &&
    Object.entries(a.selector ?? {}).every(([key, value]) => labels[key] === undefined || labels[key] === value)
  )
}

function residuesOf(
  planned: readonly PlannedResource[],
  { assume, keys: from }: IstioTarget,
  { keys }: TargetInput<IstioTarget>,
): readonly Residue[] {
  const relied = new Map<Assumption, Set<string>>()
  for (const { assumed } of planned) for (const [one, about] of assumed) relied.set(one, new Set([...(relied.get(one) ?? []), ...about]))
  return [
    ...(from === 'inline' && keys === undefined && issuersOf(planned).length > 0
      ? [{ effect: 'narrower' as const, text: 'every token: it was compiled without keys (`--keys` asks the issuers)' }]
      : []),
    ...unique(planned.flatMap(({ narrower }) => narrower)).map((text) => ({ effect: 'narrower' as const, text })),
    ...[...relied]
      .filter(([one]) => assume.includes(one))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([one, about]) => ({
        effect: 'assumed' as const,
        text: `${one}: ${ASSUMPTIONS[one].ensure}${about.size === 0 ? '' : ` (${[...about].toSorted().join(', ')})`}`,
      })),
  ]
}

function unique(all: readonly string[]): readonly string[] {
  return [...new Set(all)].toSorted()
}
