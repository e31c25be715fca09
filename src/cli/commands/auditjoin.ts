import type { Command } from 'commander'
import type { Finding, FindingKind } from '../../kubernetes/audit/join.ts'
import type { ServerEvent } from '../../kubernetes/audit/events.ts'
import type { SignInFinding } from '../../kubernetes/audit/signins.ts'
import { DEFAULT_REDACTION } from '../../audit/redaction/index.ts'
import type { Output } from '../output.ts'
import { clean, counted } from '../output.ts'
import type { Register } from './index.ts'

/** Ids of requests that are remembered, to tell each once. */
const SEEN = 2_000_000
/** The record is looked at this much before and behind the log: clocks differ, and decisions come first. */
const AROUND = 300_000
/** At the end of a log requests are decided whose events stand in the next one. */
const TAIL = 60_000

const SAYS: Readonly<Record<Exclude<FindingKind, 'joined' | 'component'>, string>> = {
  bypassed: 'came another way',
  denied: 'was refused by the gateway',
  'someone-else': 'was decided for another',
  differs: 'was decided otherwise',
  reused: 'has the id of another request',
}

const shown = (time: number): string => new Date(time).toISOString().slice(0, 19).replace('T', ' ')

interface KubernetesOptions {
  readonly data: string
  readonly resource?: string
  readonly prefix?: string
  readonly component?: readonly string[]
  readonly gateway?: readonly string[]
  readonly passThrough?: boolean
  readonly complete?: boolean
}

/** Adds `join` to the commands of the record. */
export function joins(group: Command, action: Parameters<Register>[1]): void {
  const join = group.command('join').description('compare the record with what others logged of the same requests')

  join
    .command('kubernetes')
    .description('audit logs of API servers: requests that came by another way, and what the gateway decided otherwise')
    .argument('<file...>', 'audit log (JSON lines), list of a webhook, or diagnostic log of AKS (`kube-audit`, `kube-audit-admin`)')
    .option('--data <dir>', 'data directory of the gateway', '.ostiary/demo')
    .option('--resource <name>', 'the cluster that the log is of; default: any')
    .option('--prefix <text>', 'before the names of users in that cluster', 'ostiary:')
    .option('--component <user...>', 'users that are parts of the cluster besides those that begin with `system:`')
    .option('--gateway <address...>', 'addresses of the gateway, if nothing else may be the last that the API server saw')
    .option('--pass-through', 'the cluster takes the caller’s own token: then nobody is impersonated, and names are not compared')
    .option('--complete', 'the log has every request: also tell decisions that it has not')
    .action(action(({ output }, [files], command) => joinKubernetes(output, files as readonly string[], command.opts<KubernetesOptions>())))

  join
    .command('entra')
    .description('exported sign-in logs of Entra ID: which sign-in each token came from, by its `uti`')
    .argument('<file...>', 'JSON as the portal, Graph or a diagnostic setting exports it')
    .option('--data <dir>', 'data directory of the gateway', '.ostiary/demo')
    .option('--issuer <name>', 'only tokens of this issuer')
    .action(
      action(({ output }, [files], command) =>
        joinEntra(output, files as readonly string[], command.opts<{ data: string; issuer?: string }>()),
      ),
    )
}

async function joinKubernetes(output: Output, files: readonly string[], options: KubernetesOptions): Promise<number> {
  const [{ eventsIn }, { ingest }, { valuesIn }, { kubernetesDecisions }] = await Promise.all([
    import('../../kubernetes/audit/logs.ts'),
    import('../../kubernetes/audit/join.ts'),
    import('../join/files.ts'),
    import('../join/record.ts'),
  ])
  // The log is read twice rather than kept: once for its time, which says what of the record is needed.
  let [from, to, others] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]
  for (const file of files)
    for await (const value of valuesIn(file)) {
      const read = eventsIn(value)
      others += read.others
      for (const { received } of read.events) {
        from = Math.min(from, received)
        to = Math.max(to, received)
      }
    }
  const counts: Record<FindingKind | 'unseen', number> = {
    joined: 0,
    bypassed: 0,
    denied: 0,
    'someone-else': 0,
    differs: 0,
    reused: 0,
    component: 0,
    unseen: 0,
  }
  if (to < from) {
    output.line(`there is no event in ${counted(others, 'value')}`, { ...counts, others })
    return 1
  }
  const decisions = await kubernetesDecisions(options.data, { since: from - AROUND, until: to + AROUND }, options.resource)
  const parts = {
    lookup: (id: string) => decisions.get(id),
    seen: new Map<string, string>(),
    prefix: options.prefix ?? 'ostiary:',
    components: new Set(options.component ?? []),
    impersonates: options.passThrough !== true,
    ...(options.gateway === undefined ? {} : { gateways: new Set(options.gateway) }),
  }
  const met = new Set<string>()
  for (const file of files)
    for await (const value of valuesIn(file))
      for (const finding of ingest(eventsIn(value).events, parts)) {
        counts[finding.kind]++
        if (finding.decision !== undefined) met.add(finding.decision.id)
        if (finding.kind !== 'joined' && finding.kind !== 'component') output.line(lineOf(finding, finding.kind), jsonOf(finding))
        for (const [oldest] of parts.seen) {
          if (parts.seen.size <= SEEN) break
          parts.seen.delete(oldest)
        }
      }
  if (options.complete === true)
    for (const { id, time, allowed, completed, resource } of decisions.values()) {
      if (!allowed || !completed || met.has(id) || time < from || time > to - TAIL) continue
      counts.unseen++
      output.line(`${shown(time)}  ${id}  was let through by the gateway, and is not in the log  ${resource}`, {
        kind: 'unseen',
        decision: id,
      })
    }
  const told = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`)
  output.line(`${told.join(', ')}; ${counted(others, 'value')} that ${others === 1 ? 'is' : 'are'} no event`, { ...counts, others })
  return counts.bypassed + counts.denied + counts['someone-else'] + counts.differs + counts.reused + counts.unseen === 0 ? 0 : 1
}

function lineOf({ event, decision, expected, actual }: Finding, kind: keyof typeof SAYS): string {
  const how = expected === undefined ? '' : ` (decided: ${expected})`
  const what = kind === 'differs' && actual !== undefined ? actual : whatOf(event)
  const where = event.sourceIps.length === 0 ? '' : ` from ${event.sourceIps.join(', ')}`
  const cells = [
    shown(event.received),
    decision?.id ?? event.auditId,
    SAYS[kind],
    whoOf(event),
    `${what}${how}`,
    `${event.code ?? '?'}${where}`,
  ]
  return clean(cells.join('  '))
}

const whoOf = ({ user, impersonated }: ServerEvent): string =>
  impersonated === undefined ? user.name : `${impersonated.name} by ${user.name}`

function whatOf({ verb, object, uri }: ServerEvent): string {
  if (object === undefined) return `${verb} ${uri}`
  const { group, resource, subresource, namespace, name } = object
  const kind = `${resource}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`
  return [verb, kind, name, namespace === '' ? '' : `-n ${namespace}`].filter((word) => word !== '').join(' ')
}

function jsonOf({ kind, event, decision, expected, actual }: Finding): object {
  const { auditId, stage, uri, verb, user, impersonated, sourceIps, userAgent, object, code, receivedText } = event
  return {
    kind,
    decision: decision?.id,
    expected,
    actual,
    event: {
      auditId,
      stage,
      uri: withoutSecrets(uri),
      verb,
      user: user.name,
      impersonated: impersonated?.name,
      sourceIps,
      userAgent,
      object,
      code,
      received: receivedText,
    },
  }
}

/** What is run in a container stands in the query. */
function withoutSecrets(uri: string): string {
  const at = uri.indexOf('?')
  const query = new URLSearchParams(at === -1 ? '' : uri.slice(at + 1))
  const command = query.getAll('command')
  if (command.length === 0) return uri
  query.delete('command')
  for (const word of DEFAULT_REDACTION.command(command)) query.append('command', word)
  return `${uri.slice(0, at)}?${query.toString()}`
}

const SIGN_INS: Readonly<Record<SignInFinding['kind'], string>> = {
  joined: 'from its sign-in',
  moved: 'PRESENTED FROM ELSEWHERE',
  failed: 'THE SIGN-IN FAILED',
  unknown: 'no sign-in in the log',
}

async function joinEntra(
  output: Output,
  files: readonly string[],
  options: { readonly data: string; readonly issuer?: string },
): Promise<number> {
  const [{ joinSignIns, signInsIn }, { valuesIn }, { tokenUses }] = await Promise.all([
    import('../../kubernetes/audit/signins.ts'),
    import('../join/files.ts'),
    import('../join/record.ts'),
  ])
  const signIns: ReturnType<typeof signInsIn>['signIns'][number][] = []
  let others = 0
  for (const file of files)
    for await (const value of valuesIn(file)) {
      const read = signInsIn(value)
      others += read.others
      for (const one of read.signIns) signIns.push(one)
    }
  const uses = await tokenUses(options.data, { since: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY })
  const counts = { joined: 0, moved: 0, failed: 0, unknown: 0 }
  for (const finding of joinSignIns(
    signIns,
    uses.filter(({ issuer }) => options.issuer === undefined || issuer === options.issuer),
  )) {
    counts[finding.kind]++
    const { use, signIn } = finding
    const who = `${use.issuer}/${use.subject}${use.display === undefined ? '' : ` (${use.display})`}`
    const came =
      signIn === undefined
        ? ''
        : `${shown(signIn.time)} ${signIn.who} at ${signIn.ip}, ${signIn.application}, conditional access ${signIn.conditionalAccess}`
    const cells = [use.tokenId, SIGN_INS[finding.kind], who, `${counted(use.decisions, 'decision')} from ${use.ips.join(', ')}`, came]
    output.line(clean(cells.filter((cell) => cell !== '').join('  ')), finding)
  }
  const told = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`)
  output.line(
    `${told.join(', ')}; ${counted(signIns.length, 'sign-in')}, ${counted(others, 'value')} that ${others === 1 ? 'is' : 'are'} none`,
    { ...counts, signIns: signIns.length, others },
  )
  return counts.moved + counts.failed === 0 ? 0 : 1
}
