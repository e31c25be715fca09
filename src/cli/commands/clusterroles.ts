import type { Command } from 'commander'
import { DiagnosticsError } from '../../core/errors.ts'
import type { Stand } from '../../server/places/place.ts'
import { counted, paint } from '../output.ts'
import { alikeBy, isRefusedWhole, openTargets, reportCompiled, type OpenedTarget } from '../targets.ts'
import type { Register } from './index.ts'

interface Options {
  readonly env?: string
  readonly target?: string
  readonly diff?: boolean
  readonly prune?: boolean
}

/** `ostiary apply kubernetes`: by the user's own kubectl. */
export function applyKubernetes(group: Command, action: Parameters<Register>[1]): void {
  about(group.command('kubernetes'))
    .description('applies roles and bindings of the targets of kind `kubernetes`, by kubectl, and looks at what is there')
    .option('--diff', 'only look: ends with 1 where anything is not as it should be, and changes nothing')
    .option('--prune', 'remove what was applied once and is no part of the target any more: until then, it gives what it gave')
    .action(action(({ output }, [dir], command) => brought(String(dir), command.opts<Options>(), output)))
}

/** `ostiary drift kubernetes`. */
export function driftKubernetes(group: Command, action: Parameters<Register>[1]): void {
  about(group.command('kubernetes'))
    .description('how clusters differ from what the targets of kind `kubernetes` are to give; ends with 1 where they do')
    .action(action(({ output }, [dir], command) => brought(String(dir), { ...command.opts<Options>(), diff: true }, output)))
}

function about(command: Command): Command {
  return command
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--target <name>', 'one of them; default: all')
}

interface Told extends Pick<Stand, 'differences' | 'leftOver' | 'warnings'> {
  readonly name: string
  readonly documents: number
  readonly applied: boolean
  readonly removed: readonly string[]
}

async function brought(folder: string, options: Options, output: { answer(human: string, value: unknown): void }): Promise<number> {
  const { results, wiring } = await openTargets('kubernetes', folder, options)
  reportCompiled(results, folder)
  if (results.some((one) => isRefusedWhole(one)))
    throw new DiagnosticsError(alikeBy(results, (one) => one.diagnostics).flatMap(([{ diagnostics }]) => diagnostics))
  const [{ placeKinds }, { systemClock }] = await Promise.all([import('../../server/places/index.ts'), import('../../core/clock.ts')])
  const { diff = false, prune = false } = options
  const told: Told[] = []
  for (const { name, config, documents, input } of results satisfies readonly OpenedTarget[]) {
    const parts = { place: name, target: input.name, config, documents, wiring, folder, clock: systemClock }
    const place = await placeKinds[config.kind]!.open(parts as never)
    try {
      const removed = diff ? [] : ((await place.apply?.(prune)) ?? [])
      const { differences, leftOver, warnings } = await place.look()
      told.push({ name, documents: documents.length, applied: !diff, removed, differences, leftOver, warnings })
    } finally {
      await place.close()
    }
  }
  output.answer(told.map(render).join('\n'), told)
  return told.every(({ differences, leftOver, warnings }) => differences.length + leftOver.length + warnings.length === 0) ? 0 : 1
}

function render({ name, documents, applied, removed, differences, leftOver, warnings }: Told): string {
  const found = [...differences, ...leftOver, ...warnings]
  const wrong = found.length === 0 ? paint('green', 'as they should be') : paint('red', counted(found.length, 'difference'))
  return [
    `${name}: ${counted(documents, 'document')} ${applied ? 'applied, ' : ''}${wrong}`,
    ...removed.map((one) => `  ${one}: removed`),
    ...found.map((one) => `  ${one}`),
  ].join('\n')
}
