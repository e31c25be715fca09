import { Budget } from '../../identity/index.ts'
import { join } from 'node:path'
import { formatAction } from '../../core/action.ts'
import { decisionInputs, findDecision, renderRecord, search, tail, verifyDataDirectory, type AuditQuery } from '../../audit/index.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { BoundAddress } from '../../http/engine.ts'
import { renderExplanation, type CompiledPolicy } from '../../policy/index.ts'
import { listedClusters } from '../clusters.ts'
import { compile } from '../configuration.ts'
import { Ending } from '../ending.ts'
import type { EnvoyFeed } from '../envoy.ts'
import { GATEWAY_ISSUER, GATEWAY_RESOURCE } from '../families.ts'
import type { Reloader } from '../reload.ts'
import type { Parts } from '../parts.ts'
import { seenPrincipals } from '../seen.ts'
import { explainElsewhere } from './elsewhere.ts'
import type { AdminParts, Explained } from './parts.ts'
import type { DecisionSummary } from './shapes.ts'
import { summaryOf } from './summary.ts'

export interface Surroundings {
  readonly doors: readonly BoundAddress[]
  /** First address of the door for clusters. */
  readonly clusters: BoundAddress | undefined
  readonly url: () => string
  /** What feeds Envoys, where any are wired. */
  readonly envoys: EnvoyFeed | undefined
}

/** The admin API's parts, from those of the gateway. */
export function adminParts(parts: Parts, reloader: Reloader, { doors, clusters, url, envoys }: Surroundings): AdminParts {
  const { activations, audit, clock, dataDir, identities, keyring, metrics, pipeline, policies, versions, wiring } = parts
  const dir = join(dataDir, 'audit')
  const started = clock.now()

  metrics.gauge('open_exchanges', 'exchanges that are under way', () => pipeline.open.size)
  metrics.gauge('record_queue', 'characters of the record that wait for the disk', () => audit.status().queued)
  metrics.gauge('record_healthy', '1 while the record can be written', () => (audit.status().healthy ? 1 : 0))
  metrics.gauge('revocations', 'revocations that hold', () => identities.revocations.status().count)
  metrics.gauge('revocations_healthy', '1 while the store of revocations can be read', () =>
    identities.revocations.status().healthy ? 1 : 0,
  )
  metrics.gauge('activations', 'eligible roles that are active', () => activations.status().count)
  metrics.gauge('activations_healthy', '1 while the store of activations can be read', () => (activations.status().healthy ? 1 : 0))
  metrics.gauge('policy_accepted', '1 if the last change of the configuration was taken on', () => (reloader.status.accepted ? 1 : 0))
  metrics.gauge('policy_held', '1 while a version of the configuration waits to be released', () =>
    reloader.status.held === undefined ? 0 : 1,
  )

  if (envoys !== undefined) {
    metrics.gauge(
      'envoys_held_back',
      'Envoys that are not handed out the policy in force yet',
      () => envoys.rollout()?.heldBack.length ?? 0,
    )
    metrics.gauge('envoy_rollout_stopped', '1 while the policy in force goes no further, because an Envoy did not take it', () =>
      envoys.rollout()?.state === 'stopped' ? 1 : 0,
    )
  }

  const budget = new Budget(clock, QUESTIONS)
  return {
    metrics,
    consoleFolder: join(import.meta.dirname, '../../../dist/console'),
    passage: (id) => pipeline.open.find(id),
    origins: () => [url(), ...(wiring.admin.publicUrl === undefined ? [] : [new URL(wiring.admin.publicUrl).origin])],
    policy: () => policies.current,
    clusters: () => listedClusters(reloader.wiring, { bound: clusters, folder: parts.folder }),
    sources: () => versions.read(policies.current.version).sources,
    lastReload: () => reloader.status,
    reload: () => reloader.reload(),
    release: (version, by) => reloader.release(version, by),
    status: () => ({
      name: wiring.name,
      startedAt: new Date(started).toISOString(),
      doors: doors.map(({ host, port, secure }) => ({ host, port, secure })),
      policyVersion: policies.current.version,
      lastReload: reloader.status,
      ...(envoys === undefined ? {} : { envoys: envoys.status(), envoyRollout: envoys.rollout() }),
      record: audit.status(),
      revocations: identities.revocations.status(),
      activations: activations.status(),
      issuers: identities.issuers.map((issuer) => ({ name: issuer.name, kind: issuer.kind, ...issuer.status() })),
      keys: keyring.origins(),
      openExchanges: pipeline.open.size,
    }),
    async proceed(everywhere, by) {
      if (envoys === undefined) throw new OstiaryError('server/no-rollout')
      return envoys.proceed(everywhere, by)
    },
    rotate(purpose, principal) {
      const rotation = keyring.rotate(purpose)
      audit.rotated(rotation, principal)
      return { kid: rotation.kid, previous: rotation.previous }
    },
    async *search(query) {
      for await (const { record, outcome } of search(dir, query)) yield { text: renderRecord(record, outcome), record, outcome }
    },
    async *tail(query, follow, signal) {
      for await (const record of tail(dir, query, { follow, clock, signal }))
        yield { text: renderRecord(record), record, outcome: undefined }
    },
    verify: () => verifyDataDirectory(dataDir, {}),
    explain: (id) => explain(parts, dir, id),
    explainElsewhere: (asked) => explainElsewhere(dir, parts.policies.current, clock.now(), asked),
    seen: () => seenPrincipals(dir, clock.now() - SEEN_MS, clock.now() + 1),
    ending: new Ending(parts),
    sessions: (query) => identities.sessions.list(query),
    revocations: () => identities.revocations.list(),
    activations,
    kindOfIssuer: (name) => (name === GATEWAY_ISSUER ? 'gateway' : identities.issuers.find((issuer) => issuer.name === name)?.kind),
    mayAsk(caller, questions) {
      // Other principals have other buckets, whatever is in their names.
      const key = `${caller.issuer} ${caller.subject}`.replaceAll(':', '_')
      for (let left = questions; left > 0; left--) if (!budget.take(key)) return false
      return true
    },
    evaluated(caller, { identity, action, resource, context }, { effect, rule, reasons, policyVersion }, answered) {
      audit.note({
        kind: 'evaluation',
        time: clock.now(),
        principal: caller,
        details: {
          ...(identity === undefined ? {} : { issuer: identity.issuer, subject: identity.subject }),
          action: formatAction(action),
          resource,
          ip: context.ip,
          effect,
          answered,
          ...(rule === undefined ? {} : { rule }),
          reasons: reasons.map(({ code, id }) => (id === undefined ? code : `${code} ${id}`)),
          policyVersion,
        },
      })
    },
    searched(caller, { what, ...search }, found) {
      const who = 'identity' in search && search.identity !== undefined ? `${search.identity.issuer}/${search.identity.subject}` : undefined
      const resource = 'resource' in search ? search.resource : undefined
      audit.note({
        kind: 'search',
        time: clock.now(),
        principal: caller,
        details: { what, found, ...(who === undefined ? {} : { subject: who }), ...(resource === undefined ? {} : { resource }) },
      })
    },
    now: () => clock.now(),
    fault: (error) => parts.log(`admin: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  }
}

/** How far back people are looked for. */
const SEEN_MS = 30 * 86_400_000

/** Questions that one caller may ask: a second in the long run, and at once. */
const QUESTIONS = { rate: 2_000, burst: 5_000, sources: 1_000 }

/** Why no rule was looked at, by verdict. */
const UNDECIDED: Readonly<Partial<Record<DecisionSummary['verdict'], string>>> = {
  rejected: 'The credential was not accepted, so no rule was looked at.',
  unavailable: 'Something that the decision needs could not be reached, so the request was refused.',
  malformed: 'The message can not be read in one way only, so neither credential nor rules were looked at.',
}

async function explain(parts: Parts, dir: string, id: string): Promise<Explained | undefined> {
  const found = await findDecision(dir, id === 'last' ? ((await newest(dir)) ?? '') : id)
  if (found === undefined) return undefined
  const { record, principal } = found
  const summary = summaryOf(record, found.outcome)
  const inputs = decisionInputs(record, principal)
  const head = [
    `decision  ${record.id}`,
    `${record.verdict}  ${formatAction(record.action)}  on ${record.resource}`,
    `at  ${record.time}, from ${record.ip}, door ${record.door}`,
  ]
  const undecided = UNDECIDED[record.verdict]
  if (undecided !== undefined) {
    const lines = [...head, `because  ${summary.because ?? 'unknown'}`, '', undecided]
    return { text: `${lines.join('\n')}\n`, explanation: undefined, found, summary }
  }
  const policy = policyOf(parts, inputs.policyVersion, inputs.context.time)
  if (policy === undefined)
    return {
      text: `${[...head, `policy  ${inputs.policyVersion} is no longer kept`].join('\n')}\n`,
      explanation: undefined,
      found,
      summary,
    }
  const principalNow = inputs.identity === undefined ? policy.anonymous : policy.bind(inputs.identity)
  const explanation = policy.explain(principalNow, inputs.action, inputs.resource, inputs.context)
  const outcome =
    found.outcome === undefined
      ? []
      : [`outcome  ${found.outcome.result}, status ${found.outcome.status}, ${found.outcome.bytesOut} bytes, ${found.outcome.duration} ms`]
  const caution = inputs.exact ? [] : ['The record was cut where it was too long: what follows may differ from what was decided.']
  return { text: `${[...head, ...outcome, ...caution].join('\n')}\n\n${renderExplanation(explanation)}`, explanation, found, summary }
}

/** The newest decision that isn't about the gateway itself: whoever asks for the last one doesn't mean his own question. */
async function newest(dir: string): Promise<string | undefined> {
  const query: AuditQuery = { kinds: ['decision'], limit: 10_000 }
  let own: string | undefined
  for await (const { record } of search(dir, query)) {
    if (record.kind !== 'decision') continue
    if (record.resource !== GATEWAY_RESOURCE) return record.id
    own ??= record.id
  }
  return own
}

/** The version that decided: running, or kept, and compiled as of then. */
function policyOf({ policies, versions, folder }: Parts, version: string, time: number): CompiledPolicy | undefined {
  if (policies.current.version === version) return policies.current
  try {
    return compile(folder, versions.read(version).sources, time).policy
  } catch (error) {
    if (error instanceof OstiaryError) return undefined
    throw error
  }
}
