import type { Row } from '../../server/places/status.ts'
import { adminOptions } from '../admin.ts'
import { openFleet, type FleetOptions } from '../fleet.ts'
import { clean, paint } from '../output.ts'
import type { Register } from './index.ts'

/** `ostiary targets`. */
export const targets: Register = (root, action) => {
  const group = root.command('targets').description('every place that enforces the policy by itself: clusters, meshes, Envoys')
  adminOptions(group.command('status'))
    .description('which version each place should have, which it keeps, and which is enforced; ends with 1 where anything differs')
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--target <name>', 'one of them, all places of one, or `envoy/<node>`; default: all')
    .action(
      action(async ({ output }, [dir], command) => {
        const [{ statusOf, STATUS_LIMITS }, { systemClock }] = await Promise.all([
          import('../../server/places/status.ts'),
          import('../../core/clock.ts'),
        ])
        const { members, stages } = await openFleet(String(dir), command.opts<FleetOptions>(), command)
        const stageOf = new Map(stages?.flatMap((stage) => stage.members.map((member) => [member, stage.name] as const)))
        const staged = members.map((member) => ({ ...member, stage: stageOf.get(member.name) }))
        const rows = await statusOf(staged, { ...STATUS_LIMITS, clock: systemClock })
        output.answer(rows.length === 0 ? 'there is no place: write `targets` or `doors.envoy` first' : tableOf(rows), rows)
        return rows.every(({ ok }) => ok) ? 0 : 1
      }),
    )
}

/** As much of a revision as tells it from others. */
const SHORT = 12
/** Of one place, so many problems are told; `--json` has all of them. */
const MAX_TOLD = 10

/** One line for each place, and what is wrong below it. */
export function tableOf(rows: readonly Row[]): string {
  const hasStages = rows.some(({ stage }) => stage !== undefined)
  const cells = rows.map((row) => [
    row.kind,
    row.name,
    ...(hasStages ? [row.stage ?? ''] : []),
    row.desired.slice(0, SHORT),
    row.accepted?.slice(0, SHORT) ?? '-',
    enforcedOf(row),
  ])
  const head = ['kind', 'name', ...(hasStages ? ['stage'] : []), 'desired', 'accepted', 'enforced']
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return [
    line(head),
    ...rows.flatMap((row, index) => [
      paint(row.ok ? 'green' : 'red', line(cells[index]!)),
      ...row.problems.slice(0, MAX_TOLD).map((one) => `  ${clean(one)}`),
      ...(row.problems.length > MAX_TOLD ? [`  and ${row.problems.length - MAX_TOLD} more (\`--json\` has them)`] : []),
      ...row.warnings.slice(0, MAX_TOLD).map((one) => `  ${paint('yellow', 'warning')}: ${clean(one)}`),
    ]),
  ].join('\n')
}

function enforcedOf({ enforced, reported }: Row): string {
  if (enforced === undefined || enforced === 'not known') return reported === undefined ? 'not known' : `not known (${reported})`
  return `${enforced.count} of ${enforced.of} ${enforced.what}`
}
