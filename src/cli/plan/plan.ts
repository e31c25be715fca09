import { existsSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { decisionInputs, PolicyVersions } from '../../audit/index.ts'
import { readDecisions } from '../../audit/replay.ts'
import type { Wiring } from '../../config/schema.ts'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import type { PolicyComparison } from '../../policy/compare/index.ts'
import { Replayer, type ReadThen, type Replay } from '../../policy/compare/replay.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { compareConfigurations } from '../../server/compared.ts'
import { compile } from '../../server/configuration.ts'
import type { Version } from './refs.ts'

export interface Plan {
  readonly from: string
  readonly to: string
  readonly comparison: PolicyComparison
  /** What else is different, for people. */
  readonly notes: readonly string[]
  /** Undefined where there is no record to look at. */
  readonly replay: Replay | undefined
}

export interface PlanOptions {
  readonly from: Version
  readonly to: Version
  /** The configuration folder. */
  readonly folder: string
  /** Folder of a record; undefined for the configured one, where it is there. */
  readonly record: string | undefined
  /** Look at no record. */
  readonly skip: boolean
  readonly days: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * Compares two configurations, and replays the record over both.
 * @throws DiagnosticsError where one of them is wrong
 * @throws OstiaryError `audit/unreadable`, `cli/plan-record`
 */
export async function makePlan({ from, to, folder, record, skip, days, now }: PlanOptions): Promise<Plan> {
  const before = compiled(from, folder, now)
  const after = compiled(to, folder, now)
  const { comparison, beside } = compareConfigurations(before, after, now)
  const dir = skip ? undefined : recordFolder(record, folder, after.wiring)
  return {
    from: from.label,
    to: to.label,
    comparison,
    notes: beside.length === 0 ? [] : [`also different, without changing access: ${beside.map((path) => `\`${path}\``).join(', ')}`],
    replay: dir === undefined ? undefined : await replayed(dir, before.policy, after.policy, days, now),
  }
}

function compiled({ sources }: Version, folder: string, now: number): { readonly policy: CompiledPolicy; readonly wiring: Wiring } {
  const { policy, wiring, diagnostics } = compile(folder, sources, now)
  if (policy === undefined || wiring === undefined) throw new DiagnosticsError(diagnostics.filter(({ severity }) => severity === 'error'))
  return { policy, wiring }
}

function recordFolder(given: string | undefined, folder: string, { dataDir }: Wiring): string | undefined {
  if (given !== undefined) {
    // The data directory is what other commands take.
    const inside = join(given, 'audit')
    if (existsSync(inside)) return inside
    if (existsSync(given)) return given
    throw new OstiaryError('cli/plan-record', { dir: given })
  }
  const dir = join(isAbsolute(dataDir) ? dataDir : resolve(folder, dataDir), 'audit')
  return existsSync(dir) ? dir : undefined
}

const DAY = 86_400_000

async function replayed(dir: string, from: CompiledPolicy, to: CompiledPolicy, days: number, now: number): Promise<Replay> {
  const replayer = new Replayer(from, to, readThen(join(dir, '../policies'), now))
  for await (const line of readDecisions(dir, now - days * DAY, now)) {
    if (line.kind === 'missing') {
      replayer.unknown('what could not be recorded', line.count)
      continue
    }
    const { decision, principal } = line
    // Where the credential was refused, or the message made no sense, no policy was asked.
    if (decision.effect === undefined) continue
    const inputs = decisionInputs(decision, principal)
    replayer.add({ ...inputs, id: decision.id, effect: decision.effect, lacks: lacksOf(inputs, decision.principal.kind) })
  }
  return replayer.result()
}

function lacksOf({ exact, identity }: ReturnType<typeof decisionInputs>, kind: string): string | undefined {
  if (identity === undefined && kind !== 'anonymous') return 'who it was in full'
  return exact ? undefined : 'all of it: something was too long'
}

/** What past versions read, as far as they are kept beside the record. */
function readThen(dir: string, now: number): ReadThen {
  const versions = new PolicyVersions(dir)
  const known = new Map<string, CompiledPolicy | undefined>()
  const versionOf = (version: string): CompiledPolicy | undefined => {
    try {
      return compile('.', versions.read(version).sources, now).policy
    } catch {
      return undefined // no longer kept, or not whole: then it is unknown
    }
  }
  return (version, issuer) => {
    if (!known.has(version)) known.set(version, versionOf(version))
    const policy = known.get(version)
    if (policy === undefined) return undefined
    const { issuers } = policy.model.world
    return Object.hasOwn(issuers, issuer) ? new Set(Object.keys(issuers[issuer]!.claims)) : null
  }
}
