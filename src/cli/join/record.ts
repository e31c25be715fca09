/** Decisions of the record as joining logs to them needs them. */
import { join } from 'node:path'
import { search } from '../../audit/index.ts'
import type { JoinDecision } from '../../kubernetes/audit/join.ts'
import type { TokenUse } from '../../kubernetes/audit/signins.ts'

export interface Period {
  /** Milliseconds since the epoch, inclusive. */
  readonly since: number
  /** Exclusive. */
  readonly until: number
}

export interface KubernetesDecision extends JoinDecision {
  readonly resource: string
  /** The exchange went through to its end, so the API server must have seen it. */
  readonly completed: boolean
}

/** Addresses that are kept for a token. */
const IPS = 32

/**
 * Decisions about requests to clusters.
 * @param resource Only those of this cluster
 * @throws OstiaryError `audit/unreadable`
 */
export async function kubernetesDecisions(
  dataDir: string,
  { since, until }: Period,
  resource: string | undefined,
): Promise<ReadonlyMap<string, KubernetesDecision>> {
  const found = new Map<string, KubernetesDecision>()
  const query = { kinds: ['decision'], order: 'oldest', since, until, limit: Number.POSITIVE_INFINITY } as const
  for await (const { record, outcome } of search(join(dataDir, 'audit'), query)) {
    if (record.kind !== 'decision' || record.action.protocol !== 'kubernetes') continue
    if (resource !== undefined && record.resource !== resource) continue
    const { verb, group, resource: kind, subresource, namespace, name, path } = record.action
    found.set(record.id, {
      id: record.id,
      time: Date.parse(record.time),
      allowed: record.verdict === 'allowed',
      action: { protocol: 'kubernetes', verb, group, resource: kind, subresource, namespace, name, path },
      issuer: record.principal?.issuer ?? '',
      subject: record.principal?.subject ?? '',
      resource: record.resource,
      completed: outcome?.result === 'completed',
    })
  }
  return found
}

/**
 * What was decided with each token.
 * @throws OstiaryError `audit/unreadable`
 */
export async function tokenUses(dataDir: string, { since, until }: Period): Promise<readonly TokenUse[]> {
  const tokens = new Map<number, string>()
  const uses = new Map<string, TokenUse>()
  // Who in full stands before the decisions that refer to it, though perhaps before the period.
  const query = { kinds: ['principal', 'decision'], order: 'oldest', limit: Number.POSITIVE_INFINITY } as const
  for await (const { record } of search(join(dataDir, 'audit'), query)) {
    if (record.kind === 'principal') {
      const id = record.principal.evidence?.tokenId
      if (id !== undefined) tokens.set(record.seq, id)
    }
    if (record.kind !== 'decision' || record.principalRecord === undefined) continue
    const time = Date.parse(record.time)
    const tokenId = tokens.get(record.principalRecord)
    if (tokenId === undefined || time < since || time >= until) continue
    const { issuer, subject, display } = record.principal ?? { issuer: '', subject: '', display: undefined }
    const key = `${issuer}\n${tokenId}`
    const known = uses.get(key)
    const ips = known?.ips ?? []
    uses.set(key, {
      tokenId,
      issuer,
      subject,
      display,
      decisions: (known?.decisions ?? 0) + 1,
      ips: ips.includes(record.ip) || ips.length >= IPS ? ips : [...ips, record.ip],
      first: known?.first ?? time,
      last: time,
    })
  }
  return [...uses.values()]
}
