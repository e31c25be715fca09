import type { Command } from 'commander'
import type { Wiring } from '../../config/schema.ts'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import type { Looked } from '../../targets/kuma/push.ts'
import type { KumaTarget } from '../../targets/kuma/schema.ts'
import type { TriedDataplane } from '../../targets/kuma/shadow.ts'
import { clean, counted, paint, type Output } from '../output.ts'
import { alikeBy, isRefusedWhole, openTargets, reportCompiled, type CompileOptions, type OpenedTarget } from '../targets.ts'
import type { Register } from './index.ts'

interface ApplyOptions extends CompileOptions {
  readonly diff?: boolean
  readonly prune?: boolean
  readonly shadow?: boolean
}

/** `ostiary apply kuma`: over the API of the control plane. */
export function applyKuma(group: Command, action: Parameters<Register>[1]): void {
  about(group.command('kuma'))
    .description('applies what the targets of kind `kuma` are to enforce, reads it back, and looks at what dataplanes are told')
    .option('--diff', 'only look, as `drift` does: ends with 1 where anything is not as it should be')
    .option('--prune', 'remove what was applied once and is no part of the target any more')
    .option(
      '--shadow',
      'only try: documents that enforce nothing (`kuma.io/effect: shadow`), what dataplanes would be told, and none of it stays',
    )
    .action(action(({ output }, [dir], command) => brought(String(dir), command.opts<ApplyOptions>(), output)))
}

/** `ostiary drift kuma`. */
export function driftKuma(group: Command, action: Parameters<Register>[1]): void {
  about(group.command('kuma'))
    .description('how meshes and their dataplanes differ from what the targets of kind `kuma` are to enforce; ends with 1 where they do')
    .action(action(({ output }, [dir], command) => brought(String(dir), { ...command.opts<ApplyOptions>(), diff: true }, output)))
}

function about(command: Command): Command {
  return command
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--target <name>', 'one of them; default: all')
}

async function brought(folder: string, options: ApplyOptions, output: Output): Promise<number> {
  if (options.shadow === true && (options.diff === true || options.prune === true))
    throw new OstiaryError('cli/usage', {
      problem: '`--shadow` changes nothing that stays: it goes with neither `--diff` nor `--prune`',
      command: 'apply kuma',
    })
  const { wiring, results } = await openTargets('kuma', folder, { ...options, keys: true })
  reportCompiled(results, folder)
  if (results.some((one) => isRefusedWhole(one)))
    throw new DiagnosticsError(alikeBy(results, (one) => one.diagnostics).flatMap(([{ diagnostics }]) => diagnostics))
  if (options.shadow === true) {
    const tried: Tried[] = []
    for (const one of results) tried.push(await tryOne(one, wiring, folder))
    output.answer(tried.map(renderTried).join('\n'), tried)
    return tried.every(({ dataplanes }) => dataplanes.every(({ problems }) => problems.length === 0)) ? 0 : 1
  }
  const told: Told[] = []
  for (const one of results) told.push(await applyOne(one, wiring, folder, options))
  output.answer(told.map(render).join('\n'), told)
  return told.every(({ enforced }) => enforced) ? 0 : 1
}

interface Told extends Looked {
  readonly name: string
  readonly version: string
  readonly applied: boolean
  readonly enforced: boolean
}

/** How often a control plane is asked again whether its dataplanes have taken what was applied, and how long it is in between. */
const LOOKS = 15
const LOOK_MS = 1000

async function applyOne(
  { name, documents, input, config }: OpenedTarget,
  wiring: Wiring,
  folder: string,
  { diff = false, prune: prunes = false }: ApplyOptions,
): Promise<Told> {
  const { controlPlane, mode } = config as KumaTarget
  if (controlPlane !== undefined && mode === 'kubernetes' && !diff) throw new OstiaryError('target/read-only', { url: controlPlane.url })
  const [{ openKuma }, { isEnforced }, { systemClock: clock }, { pause }] = await Promise.all([
    import('../../server/places/kuma.ts'),
    import('../../targets/kuma/push.ts'),
    import('../../core/clock.ts'),
    import('../../secrets/request.ts'),
  ])
  const place = await openKuma({ place: name, target: input.name, config: config as KumaTarget, documents, wiring, folder, clock })
  try {
    const version = await place.version()
    const warnings = (await place.answersAnybody())
      ? ['whoever reaches the control plane may change policies, without any token: let nobody else reach it']
      : []
    if (!diff) warnings.push(...(await place.put()))
    if (!diff && prunes) await place.prune()
    let looked = await place.looked()
    // What was kept is known at once; what dataplanes are told of it, a little later.
    const looks = diff ? 0 : LOOKS
    for (let again = 0; again < looks && looked.dataplanes.some(({ problems }) => problems.length > 0); again++) {
      await pause(clock, LOOK_MS)
      looked = await place.looked()
    }
    return { ...looked, name, version, applied: !diff, enforced: isEnforced(looked), warnings: [...warnings, ...looked.warnings] }
  } finally {
    await place.close()
  }
}

interface Tried {
  readonly name: string
  readonly version: string
  readonly documents: number
  readonly dataplanes: readonly TriedDataplane[]
}

/** `--shadow` */
async function tryOne({ name, documents, input, config }: OpenedTarget, wiring: Wiring, folder: string): Promise<Tried> {
  const { controlPlane, mode } = config as KumaTarget
  if (controlPlane !== undefined && mode === 'kubernetes') throw new OstiaryError('target/read-only', { url: controlPlane.url })
  const [{ openKuma }, { systemClock: clock }, { pause }] = await Promise.all([
    import('../../server/places/kuma.ts'),
    import('../../core/clock.ts'),
    import('../../secrets/request.ts'),
  ])
  const place = await openKuma({ place: name, target: input.name, config: config as KumaTarget, documents, wiring, folder, clock })
  try {
    const version = await place.version()
    let looks = 0
    const dataplanes = await place.tryOut(async (tried) => {
      if (looks++ >= LOOKS || tried.every(({ problems }) => problems.length === 0)) return true
      await pause(clock, LOOK_MS)
      return false
    })
    return { name, version, documents: documents.length, dataplanes }
  } finally {
    await place.close()
  }
}

/** Of one dataplane, so many places are told; `--json` has all of them. */
const MAX_CHANGES = 10

function renderTried({ name, version, documents, dataplanes }: Tried): string {
  return [
    `${name}: control plane ${version}; ${counted(documents, 'document')} tried and removed again, nothing was enforced`,
    ...dataplanes.flatMap(({ dataplane, problems, changes }) => [
      problems.length === 0
        ? `  dataplane ${clean(dataplane)}: ${paint('green', 'would enforce it')}, ${changes.length === 0 ? 'as it does now' : `${counted(changes.length, 'place')} of its configuration would change`}`
        : `  dataplane ${clean(dataplane)}: ${paint('red', 'would NOT ENFORCE it')}: ${clean(problems.join('; '))}`,
      ...changes.slice(0, MAX_CHANGES).map((one) => `    ${clean(one)}`),
      ...(changes.length > MAX_CHANGES ? [`    and ${changes.length - MAX_CHANGES} more (\`--json\` has them)`] : []),
    ]),
  ].join('\n')
}

function render({ name, version, applied, documents, stale, dataplanes, warnings }: Told): string {
  const wrong = documents.filter((one) => one.missing || one.differences.length > 0)
  const state = wrong.length === 0 ? paint('green', 'kept as they are') : paint('red', `${wrong.length} not as they should be`)
  const done = applied ? 'applied, ' : ''
  return [
    `${name}: control plane ${version}; ${counted(documents.length, 'document')} ${done}${state}`,
    ...wrong.map(
      ({ kind, name: document, missing, differences }) => `  ${kind} ${document}: ${missing ? 'missing' : differences.join('; ')}`,
    ),
    ...stale.map(
      ({ kind, name: document }) => `  ${kind} ${document}: no part of this any more, and still in force (\`--prune\` removes it)`,
    ),
    ...dataplanes.map(({ dataplane, problems }) =>
      problems.length === 0
        ? `  dataplane ${dataplane}: ${paint('green', 'enforces it')}`
        : `  dataplane ${dataplane}: ${paint('red', 'NOT ENFORCED')}: ${problems.join('; ')}`,
    ),
    ...warnings.map((one) => `  ${paint('yellow', 'warning')}: ${one}`),
  ].join('\n')
}
