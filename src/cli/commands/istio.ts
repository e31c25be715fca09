import type { Command } from 'commander'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import { driftText, type Drift } from '../../server/istiocluster.ts'
import type { IstioTarget } from '../../targets/istio/schema.ts'
import { counted, paint } from '../output.ts'
import { alikeBy, isRefusedWhole, openTargets, reportCompiled, type OpenedTarget } from '../targets.ts'
import type { Register } from './index.ts'

interface Options {
  readonly env?: string
  readonly target?: string
  readonly keys?: boolean
  readonly diff?: boolean
  readonly prune?: boolean
}

/** `ostiary apply istio`: by the user's own kubectl. */
export function applyIstio(group: Command, action: Parameters<Register>[1]): void {
  about(group.command('istio'))
    .description(
      'applies what the targets of kind `istio` are to enforce, by kubectl, in an order that opens nothing, and looks at what is there',
    )
    .option('--diff', 'only look: ends with 1 where anything is not as it should be, and changes nothing')
    .option('--prune', 'remove what was applied once and is no part of the target any more')
    .action(action(({ output }, [dir], command) => brought(String(dir), { ...command.opts<Options>(), keys: true }, output)))
}

/** `ostiary drift istio`. */
export function driftIstio(group: Command, action: Parameters<Register>[1]): void {
  about(group.command('istio'))
    .description('how clusters differ from what the targets of kind `istio` are to enforce; ends with 1 where they do')
    .option('--keys', 'ask the issuers for their keys, and compare them as well')
    .action(action(({ output }, [dir], command) => brought(String(dir), { ...command.opts<Options>(), diff: true }, output)))
}

function about(command: Command): Command {
  return command
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--target <name>', 'one of them; default: all')
}

interface Told {
  readonly name: string
  readonly documents: number
  readonly applied: boolean
  readonly removed: readonly string[]
  readonly drift: readonly Drift[]
}

async function brought(folder: string, options: Options, output: { answer(human: string, value: unknown): void }): Promise<number> {
  const { results } = await openTargets('istio', folder, options)
  reportCompiled(results, folder)
  if (results.some((one) => isRefusedWhole(one)))
    throw new DiagnosticsError(alikeBy(results, (one) => one.diagnostics).flatMap(([{ diagnostics }]) => diagnostics))
  const told: Told[] = []
  for (const { config, ...one } of results) told.push(await broughtOne(one, config as IstioTarget, options))
  output.answer(told.map(render).join('\n'), told)
  return told.every((one) => one.drift.length === 0) ? 0 : 1
}

async function broughtOne(
  { name, documents, input }: Omit<OpenedTarget, 'config'>,
  { context }: IstioTarget,
  { diff = false, prune = false, keys = false }: Options,
): Promise<Told> {
  if (context === undefined) throw new OstiaryError('target/no-context', { name })
  const [{ kubectlIn }, { applyToCluster, driftOf }] = await Promise.all([
    import('../../server/kubectl.ts'),
    import('../../server/istiocluster.ts'),
  ])
  const kubectl = kubectlIn(context)
  const removed = diff ? [] : await applyToCluster(input.name, documents, prune, kubectl)
  return { name, documents: documents.length, applied: !diff, removed, drift: await driftOf(input.name, documents, keys, kubectl) }
}

function render({ name, documents, applied, removed, drift: found }: Told): string {
  const wrong = found.length === 0 ? paint('green', 'as they should be') : paint('red', counted(found.length, 'difference'))
  return [
    `${name}: ${counted(documents, 'document')} ${applied ? 'applied, ' : ''}${wrong}`,
    ...removed.map((one) => `  ${one}: removed`),
    ...found.map((one) => `  ${one.document}: ${driftText(one)}`),
  ].join('\n')
}
