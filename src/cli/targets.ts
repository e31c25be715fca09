/** Targets of the wiring, compiled: what `ostiary compile` shows and `ostiary apply` brings to where it is enforced. */
import { createHash } from 'node:crypto'
import { stringify } from 'yaml'
import type { TargetBase, Wiring } from '../config/schema.ts'
import { DiagnosticsError, OstiaryError } from '../core/errors.ts'
import { targetKinds } from '../targets/index.ts'
import type { TargetInput, TargetResult } from '../targets/target.ts'
import { counted, renderDiagnostic } from './output.ts'

export interface CompileOptions {
  readonly env?: string
  /** One of them; default: all of the kind. */
  readonly target?: string
  /** Whether issuers are asked for their keys. */
  readonly keys?: boolean
}

export interface CompiledTarget extends TargetResult {
  readonly name: string
}

/** @throws OstiaryError `target/none`, `target/no-target`; DiagnosticsError for a configuration that is wrong */
export async function compileTargets(kind: string, folder: string, options: CompileOptions): Promise<readonly CompiledTarget[]> {
  const { results } = await openTargets(kind, folder, options)
  return results.map((one) => {
    const { config: _, input: __, ...compiled } = one
    return compiled
  })
}

/** The same, with what the wiring says of each and of everything else. */
export async function openTargets(
  kind: string,
  folder: string,
  options: CompileOptions,
): Promise<{
  readonly wiring: Wiring
  readonly results: readonly (CompiledTarget & { readonly config: TargetBase; readonly input: TargetInput<never> })[]
}> {
  const [{ loadConfiguration }, { nativeIssuers }, { keysOf }] = await Promise.all([
    import('../server/configuration.ts'),
    import('../server/families.ts'),
    import('../server/targetkeys.ts'),
  ])
  const { wiring, policy, diagnostics, sources } = loadConfiguration(folder, options.env)
  if (wiring === undefined || policy === undefined) throw new DiagnosticsError(diagnostics.filter(({ severity }) => severity === 'error'))
  const all = Object.entries(wiring.targets).filter(([, config]) => config.kind === kind)
  const chosen = all.filter(([name]) => options.target === undefined || name === options.target)
  if (all.length === 0) throw new OstiaryError('target/none', { where: `\`targets\` of kind \`${kind}\``, document: `${kind}.md` })
  if (chosen.length === 0) {
    const known = all.map(([name]) => `\`${name}\``).join(', ')
    throw new OstiaryError('target/no-target', { name: options.target ?? '', kind, known })
  }
  const issuers = nativeIssuers(wiring)
  const revision = createHash('sha256').update(JSON.stringify(sources)).digest('hex')
  const asked = options.keys === true ? await keysOf(wiring, issuers, { folder }) : undefined
  for (const [issuer, why] of asked?.failures ?? []) process.stderr.write(`issuer ${issuer}: ${why}\n`)
  const results = chosen.map(([name, config]) => {
    const input = { name, config: config as never, wiring, policy, issuers, keys: asked?.keys, revision }
    return { name, config, input, ...targetKinds[kind]!.compile(input) }
  })
  return { wiring, results }
}

/** Tells on standard error what one carries, what is wrong with it and what it tells apart otherwise. */
export function reportCompiled({ name, resources, residues, needs = [], diagnostics }: CompiledTarget, folder: string): void {
  for (const one of diagnostics) process.stderr.write(`${renderDiagnostic(one, folder)}\n\n`)
  const carried = resources.map(({ name: resource, delegated, rules, guardrails }) =>
    delegated ? `${resource} (delegated)` : `${resource} (${counted(rules, 'rule')}, ${counted(guardrails, 'guardrail')})`,
  )
  process.stderr.write(`${name}: ${carried.join(', ')}\n${residues.map(({ effect, text }) => `  ${effect}: ${text}\n`).join('')}`)
  for (const { text, document } of needs) process.stderr.write(`${name}: ${text}\n\n${stringify(document)}\n`)
}

/** Whether there is an error, and so nothing to apply. */
export function isRefusedWhole({ diagnostics }: Pick<TargetResult, 'diagnostics'>): boolean {
  return diagnostics.some(({ severity }) => severity === 'error')
}
