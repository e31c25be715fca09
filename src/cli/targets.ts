/** Targets of the wiring, compiled: what `ostiary compile` shows and `ostiary apply` brings to where it is enforced. */
import { stringify } from 'yaml'
import { targetOf } from '../config/places.ts'
import type { TargetBase, Wiring } from '../config/schema.ts'
import { DiagnosticsError, OstiaryError } from '../core/errors.ts'
import { targetKinds } from '../targets/index.ts'
import type { TargetInput, TargetResult } from '../targets/target.ts'
import { counted, renderDiagnostic } from './output.ts'

export interface CompileOptions {
  readonly env?: string
  /** One of them, or all places of one; default: all of the kind. */
  readonly target?: string
  /** Whether issuers are asked for their keys. */
  readonly keys?: boolean
}

export interface CompiledTarget extends TargetResult {
  /** Of the place: `shop@eu-1`. */
  readonly name: string
}

/** What the wiring says of it besides. */
export interface OpenedTarget extends CompiledTarget {
  readonly config: TargetBase
  readonly input: TargetInput<never>
}

export interface Opened {
  readonly wiring: Wiring
  /** Of the policy with its wiring, in hexadecimal: what is applied is labelled with its beginning. */
  readonly revision: string
  readonly results: readonly OpenedTarget[]
}

/** @throws OstiaryError `target/none`, `target/no-target`; DiagnosticsError for a configuration that is wrong */
export async function compileTargets(kind: string, folder: string, options: CompileOptions): Promise<readonly CompiledTarget[]> {
  const { results } = await openTargets(kind, folder, options)
  return results.map((one) => {
    const { config: _, input: __, ...compiled } = one
    return compiled
  })
}

/** The same, with what the wiring says of each and of everything else. @param kind Default: every kind, of which there may be none */
export async function openTargets(kind: string | undefined, folder: string, options: CompileOptions): Promise<Opened> {
  const [{ loadConfiguration }, { nativeIssuers }, { keysOf }] = await Promise.all([
    import('../server/configuration.ts'),
    import('../server/families.ts'),
    import('../server/targetkeys.ts'),
  ])
  const { wiring, policy, diagnostics } = loadConfiguration(folder, options.env)
  if (wiring === undefined || policy === undefined) throw new DiagnosticsError(diagnostics.filter(({ severity }) => severity === 'error'))
  const clashes = diagnostics.filter(({ code }) => code === 'target/same-place')
  if (clashes.length > 0) throw new DiagnosticsError(clashes)
  const chosen = chosenOf(wiring, kind, options.target)
  const issuers = nativeIssuers(wiring)
  const revision = policy.version.replace(/^sha256:/, '')
  const asked = options.keys === true && chosen.length > 0 ? await keysOf(wiring, issuers, { folder }) : undefined
  for (const [issuer, why] of asked?.failures ?? []) process.stderr.write(`issuer ${issuer}: ${why}\n`)
  const results = chosen.map(([name, config]) => {
    const input = { name: targetOf(name), config: config as never, wiring, policy, issuers, keys: asked?.keys, revision }
    return { name, config, input, ...targetKinds[config.kind]!.compile(input) }
  })
  return { wiring, revision, results }
}

function chosenOf({ targets }: Wiring, kind: string | undefined, target: string | undefined): readonly (readonly [string, TargetBase])[] {
  const all = Object.entries(targets).filter(([, config]) => kind === undefined || config.kind === kind)
  const chosen = all.filter(([name]) => target === undefined || name === target || targetOf(name) === target)
  if (kind !== undefined && all.length === 0)
    throw new OstiaryError('target/none', { where: `\`targets\` of kind \`${kind}\``, document: `${kind}.md` })
  const isEnvoy = kind === undefined && target?.startsWith('envoy/') === true
  if (target === undefined || chosen.length > 0 || isEnvoy) return chosen
  const known = all.map(([name]) => `\`${name}\``).join(', ')
  throw new OstiaryError('target/no-target', {
    name: target,
    which: kind === undefined ? '' : ` of kind \`${kind}\``,
    known: known === '' ? 'none' : known,
  })
}

/** Tells on standard error what each carries, what is wrong with it and what it tells apart otherwise; what is the same in several places, once. */
export function reportCompiled(results: readonly CompiledTarget[], folder: string): void {
  const alike = alikeBy(results, ({ resources, residues, until, needs, diagnostics }) => [resources, residues, until, needs, diagnostics])
  for (const [{ resources, residues, until, needs = [], diagnostics }, names] of alike) {
    for (const one of diagnostics) process.stderr.write(`${renderDiagnostic(one, folder)}\n\n`)
    const carried = resources.map(({ name: resource, delegated, rules, guardrails }) =>
      delegated ? `${resource} (delegated)` : `${resource} (${counted(rules, 'rule')}, ${counted(guardrails, 'guardrail')})`,
    )
    const told = residues.map(({ effect, text }) => `  ${effect}: ${text}\n`)
    process.stderr.write(`${names}: ${carried.join(', ')}\n${told.join('')}`)
    if (until !== undefined)
      process.stderr.write(`  holds until ${new Date(until).toISOString()}: it has to be applied again then, for an observation ends\n`)
    for (const { text, document } of needs) process.stderr.write(`${names}: ${text}\n\n${stringify(document)}\n`)
  }
}

/** The first of those that are alike, each with the names of all of them. */
export function alikeBy<T extends { readonly name: string }>(
  all: readonly T[],
  what: (one: T) => unknown,
): readonly (readonly [T, string])[] {
  const groups = new Map<string, T[]>()
  for (const one of all) {
    const key = JSON.stringify(what(one))
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  return [...groups.values()].map((group) => [group[0]!, group.map(({ name }) => name).join(', ')])
}

/** Whether there is an error, and so nothing to apply. */
export function isRefusedWhole({ diagnostics }: Pick<TargetResult, 'diagnostics'>): boolean {
  return diagnostics.some(({ severity }) => severity === 'error')
}
