import type { RolloutReport } from '../../server/places/rollout.ts'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import { targetKinds } from '../../targets/index.ts'
import { adminOptions } from '../admin.ts'
import { openFleet, type FleetOptions } from '../fleet.ts'
import { clean, paint, type Output } from '../output.ts'
import { alikeBy, isRefusedWhole, type OpenedTarget } from '../targets.ts'
import { isProven } from './prove.ts'
import type { Register } from './index.ts'

interface Options extends FleetOptions {
  readonly diff?: boolean
  readonly prune?: boolean
}

/** `ostiary rollout`. */
export const rollout: Register = (root, action) => {
  adminOptions(root.command('rollout'))
    .description(
      'brings the policy to clusters and meshes stage by stage, and stops where anything is not as it should be; run it again to go on',
    )
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--diff', 'only compile, prove and look: ends with 1 where there is anything to do, and changes nothing')
    .option('--prune', 'remove what was applied once and is no part of a target any more')
    .action(action(({ output }, [dir], command) => rolledOut(String(dir), command.opts<Options>(), command, output)))
}

async function rolledOut(
  folder: string,
  { diff = false, prune = false, ...options }: Options,
  command: Parameters<typeof openFleet>[2],
  output: Output,
): Promise<number> {
  const [{ rollOut }, { STATUS_LIMITS }, { systemClock }] = await Promise.all([
    import('../../server/places/rollout.ts'),
    import('../../server/places/status.ts'),
    import('../../core/clock.ts'),
  ])
  const { opened, stages, members } = await openFleet(folder, options, command)
  const { rollout: wired } = opened.wiring
  if (stages === undefined || wired === undefined) throw new OstiaryError('target/no-stages')
  const refused = opened.results.filter((one) => isRefusedWhole(one))
  if (refused.length > 0) throw new DiagnosticsError(alikeBy(refused, (one) => one.diagnostics).flatMap(([{ diagnostics }]) => diagnostics))
  const tell = (line: string): void => void process.stderr.write(`${clean(line)}\n`)
  if (wired.prove) prove(opened.results, tell)
  const byName = new Map(members.map((one) => [one.name, one]))
  const interrupted = new AbortController()
  const interrupt = (): void => {
    tell('stopping: what is being written is written, and nothing after it; once more ends this at once')
    interrupted.abort()
  }
  process.once('SIGINT', interrupt)
  try {
    const report = await rollOut(
      stages.map((stage) => ({ ...stage, members: stage.members.map((name) => byName.get(name)!) })),
      {
        clock: systemClock,
        signal: interrupted.signal,
        prunes: prune,
        applies: !diff,
        patience: wired.patience,
        atOnce: STATUS_LIMITS.atOnce,
        tell,
      },
    )
    output.answer(render(report, opened.revision, diff), { revision: opened.revision, ...report })
    return report.finished ? 0 : 1
  } finally {
    process.removeListener('SIGINT', interrupt)
  }
}

/** What differs only in where a target is. */
const WHERE = new Set(['context', 'controlPlane', 'description'])

/** Places that are told the same are proven once. @throws OstiaryError `target/not-proven` */
function prove(results: readonly OpenedTarget[], tell: (line: string) => void): void {
  const known = new Map<string, boolean>()
  const now = Date.now()
  const failed = results.filter(({ name, config, input, documents }) => {
    const key = JSON.stringify([documents, Object.entries(config).filter(([one]) => !WHERE.has(one))])
    let proven = known.get(key)
    if (proven === undefined) {
      proven = targetKinds[config.kind]!.prove?.(input, documents, now).every(isProven) === true
      known.set(key, proven)
    }
    tell(`${name}: ${proven ? 'proven' : 'not proven'}`)
    return !proven
  })
  if (failed.length > 0) throw new OstiaryError('target/not-proven', { targets: failed.map(({ name }) => `\`${name}\``).join(', ') })
}

const DID = {
  nothing: 'as it should be already',
  applied: 'applied',
  waited: 'as it should be',
  failed: 'NOT as it should be',
  'not-reached': 'not reached',
} as const

function render({ finished, stages, stopped }: RolloutReport, revision: string, diff: boolean): string {
  const short = revision.slice(0, 12)
  const lines = stages.flatMap(({ name, places }) => [
    `${name}:${places.length === 0 ? ' nothing' : ''}`,
    ...places.flatMap(({ name: place, did, removed, problems, warnings }) => [
      `  ${place}: ${paint(did === 'failed' ? 'red' : did === 'not-reached' ? 'yellow' : 'green', DID[did])}`,
      ...removed.map((one) => `    ${clean(one)}: removed`),
      ...problems.map((one) => `    ${clean(one)}`),
      ...warnings.map((one) => `    ${paint('yellow', 'warning')}: ${clean(one)}`),
    ]),
  ])
  if (finished) return [...lines, paint('green', `revision ${short} is everywhere`)].join('\n')
  const { stage, place } = stopped!
  return [
    ...lines,
    paint('red', `revision ${short} is not everywhere: stopped in stage ${stage}${place === undefined ? '' : `, at ${place}`}`),
    ...(diff
      ? []
      : [
          'nothing after it was changed. To go on, mend that and run this again: finished stages are seen by what is there.',
          'To go back, check out the revision that was in force before, and run this again, or `ostiary apply` to be everywhere at once.',
        ]),
  ].join('\n')
}
