/** Hosts and ports of a workload: by which of them its resources are told apart. */
import type { AuthorizationPolicy, Operation } from '../translate/types.ts'
import type { Losses } from './losses.ts'
import { isMatch, textOf } from './texts.ts'
import { documentOf, type ImportedWorkload } from './workloads.ts'

export interface HostGroup {
  readonly hosts: readonly string[]
}

const HOST = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

interface Placed {
  readonly operation: Operation
  readonly document: string
  readonly field: string
}

function operationsOf(policies: readonly AuthorizationPolicy[]): readonly Placed[] {
  return policies.flatMap((policy) =>
    policy.rules.flatMap(({ to }, rule) =>
      to.map((operation, index) => ({ operation, document: documentOf(policy), field: `spec.rules[${rule}].to[${index}].operation` })),
    ),
  )
}

/** Hosts that the same operations are about, together. */
export function hostGroupsOf(workload: ImportedWorkload, losses: Losses): readonly HostGroup[] {
  const { policies, perhaps, services, namespace, wish } = workload
  const allowing = policies.filter(({ action }) => action === 'ALLOW')
  const operations = operationsOf([...policies, ...perhaps])
  const granting = operationsOf(allowing)
  const named = granting.flatMap(({ operation }) => operation.hosts.map((host) => host.toLowerCase()).filter((host) => HOST.test(host)))
  const served = services.flatMap(({ name }) => [`${name}.${namespace}`, `${name}.${namespace}.svc.cluster.local`])
  const isOpen =
    allowing.length === 0 ||
    allowing.some(({ rules }) => rules.some(({ to }) => to.length === 0 || to.some(({ hosts }) => hosts.length === 0)))
  const known = [...new Set([...named, ...(isOpen || named.length === 0 ? served : [])])]
  const guess = `${wish}.${namespace}.svc.cluster.local`
  if (known.length === 0)
    losses.add(
      'narrower',
      `workload ${namespace}/${wish}`,
      '',
      `any host was let in; let in is \`${guess}\`: write the hosts under which it is reached`,
    )
  else if (isOpen && named.length + served.length > 0)
    losses.add(
      'narrower',
      `workload ${namespace}/${wish}`,
      '',
      `any host was let in; let in are ${known.map((one) => `\`${one}\``).join(', ')}`,
    )
  for (const { operation, document, field } of granting) {
    const odd = operation.hosts.filter((host) => !HOST.test(host.toLowerCase()))
    // `a.example:*` beside `a.example` says nothing more here.
    const more = odd.filter((host) => !/:(?:\*|[0-9]+)$/.test(host) || !operation.hosts.includes(host.replace(/:[^:]*$/, '')))
    if (more.length > 0)
      losses.add(
        'narrower',
        document,
        `${field}.hosts`,
        `${more.map((one) => `\`${one}\``).join(', ')}: only hosts that are written out are let in`,
      )
  }
  const hosts = known.length === 0 ? [guess] : known
  const groups = Map.groupBy(hosts, (host) =>
    JSON.stringify(operations.map(({ operation }) => [isHostGranted(operation, host), isHostDenied(operation, host)])),
  )
  return [...groups.values()].map((same) => ({ hosts: same.toSorted() }))
}

export function isHostGranted({ hosts, notHosts }: Operation, host: string): boolean {
  return (hosts.length === 0 || hosts.some((one) => isHost(one, host))) && !notHosts.some((one) => mayBeHost(one, host))
}

export function isHostDenied({ hosts, notHosts }: Operation, host: string): boolean {
  return (hosts.length === 0 || hosts.some((one) => mayBeHost(one, host))) && !notHosts.some((one) => isHost(one, host))
}

/** Without a port, which callers leave out where they can. */
function isHost(value: string, host: string): boolean {
  return isMatch(textOf(value.toLowerCase()), host)
}

/** With whatever port. */
function mayBeHost(value: string, host: string): boolean {
  if (isHost(value, host)) return true
  const { is, text } = textOf(value.toLowerCase())
  if (is === 'exact') return text.startsWith(`${host}:`)
  if (is === 'prefix') return `${host}:`.startsWith(text) || text.startsWith(`${host}:`)
  return is === 'any' || host.endsWith(text.split(':')[0]!)
}

/** The ports of a workload for which most is let in: what is about others isn't carried. */
export function portsOf({ policies, services, mode, namespace, wish }: ImportedWorkload, losses: Losses): readonly number[] {
  const asked = operationsOf(policies.filter(({ action }) => action === 'ALLOW')).map(({ operation }) => operation)
  const isHttp = services.flatMap(({ ports }) => ports).some((one) => one.isHttp)
  const served = services.flatMap(({ ports }) =>
    ports.flatMap(({ port, targetPort, isHttp: speaks }) =>
      isHttp && !speaks ? [] : mode === 'waypoint' ? [port] : targetPort === undefined ? [] : [targetPort],
    ),
  )
  const candidates = [served, ...asked.map(({ ports }) => ports.map(Number))].filter((all) => all.length > 0).map(sorted)
  const scored = candidates.map((ports) => ({ ports, carried: asked.filter((one) => hasAllPorts(one, ports)).length }))
  const best = scored.reduce<(typeof scored)[number] | undefined>((a, b) => (a === undefined || b.carried > a.carried ? b : a), undefined)
  const ports = best?.ports ?? [8080]
  const others = [...new Set(asked.flatMap((one) => one.ports.map(Number)))].filter((one) => !ports.includes(one))
  if (others.length > 0)
    losses.add(
      'narrower',
      `workload ${namespace}/${wish}`,
      '',
      `ports ${others.join(', ')}: a resource has one set of ports, and here it is ${ports.join(', ')}`,
    )
  return ports
}

export function hasAllPorts({ ports, notPorts }: Pick<Operation, 'ports' | 'notPorts'>, served: readonly number[]): boolean {
  return (
    (ports.length === 0 || served.every((one) => ports.map(Number).includes(one))) &&
    !served.some((one) => notPorts.map(Number).includes(one))
  )
}

export function hasAnyPort({ ports, notPorts }: Pick<Operation, 'ports' | 'notPorts'>, served: readonly number[]): boolean {
  return served.some((one) => (ports.length === 0 || ports.map(Number).includes(one)) && !notPorts.map(Number).includes(one))
}

function sorted(ports: readonly number[]): readonly number[] {
  return [...new Set(ports)].filter((one) => one > 0).toSorted((a, b) => a - b)
}
