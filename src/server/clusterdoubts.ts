/** What clients of a cluster would stumble over first: kubectl asks what there is before it asks for anything. */
import type { Wiring } from '../config/schema.ts'
import type { KubernetesAction } from '../core/action.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import type { CompiledPolicy } from '../policy/index.ts'
import { clusterResources } from './parts.ts'

/** Paths of which kubectl gives up where it gets none. */
const ASKED_FIRST = ['/api', '/apis', '/api/v1', '/apis/apps/v1']

/** Warnings, one for each cluster behind the door on which there are rules and none for these. @param now Milliseconds since the epoch */
export function clusterDoubts(wiring: Wiring, policy: CompiledPolicy, now: number): readonly Diagnostic[] {
  if (wiring.doors['kubernetes'] === undefined) return []
  return Object.entries(clusterResources(wiring)).flatMap(([cluster, { server }]) => {
    const rules = policy.rules.filter(({ resources }) => resources.includes(cluster))
    if (server === undefined || rules.length === 0) return []
    const missing = ASKED_FIRST.filter((path) => (policy.whoCan(askedOf(path), cluster, now)?.grants.length ?? 0) === 0)
    if (missing.length === 0) return []
    const found = { cluster, paths: missing.map((path) => `\`get ${path}\``).join(', ') }
    return [diagnostic('kubernetes/no-discovery', found, rules[0]!.resourceSpan, { severity: 'warning' })]
  })
}

function askedOf(path: string): KubernetesAction {
  return { protocol: 'kubernetes', verb: 'get', group: '', resource: '', subresource: '', namespace: '', name: '', path }
}
