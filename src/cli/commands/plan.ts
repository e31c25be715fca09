import { Option } from 'commander'
import { OstiaryError } from '../../core/errors.ts'
import { adminOptions } from '../admin.ts'
import type { Plan } from '../plan/plan.ts'
import type { Register } from './index.ts'

const FORMATS = ['text', 'markdown', 'json'] as const
const FAILS = ['widen', 'any'] as const

interface Options {
  readonly from: string
  readonly to?: string
  readonly environment?: string
  readonly failOn?: (typeof FAILS)[number]
  readonly format: (typeof FORMATS)[number]
  readonly days: string
  readonly replay?: string | false
}

export const plan: Register = (root, action) =>
  void adminOptions(root.command('plan'))
    .description('what a change of the policy would do: who gains and loses what, exactly, and what the record would have met')
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--from <ref>', 'what to compare with: a Git revision, a folder, or `running`', 'HEAD')
    .option('--to <ref>', 'what would be: the same; default: the folder as it is')
    .option('--env, --environment <name>', 'environment to lay over both')
    .addOption(
      new Option('--fail-on <what>', 'exit with 1 if access widens, or if it changes at all; with 2 if that is not proven').choices(FAILS),
    )
    .addOption(new Option('--format <format>', '`markdown` is for a pull request').choices(FORMATS).default('text'))
    .option('--days <count>', 'how far back the record is looked at', '30')
    .option('--replay <dir>', 'data directory of a gateway, or its folder `audit`; default: the configured one, if it is there')
    .option('--no-replay', 'without the record')
    .action(
      action(async ({ output }, [dir], command) => {
        const [{ readVersion }, { makePlan }, { renderPlan }] = await Promise.all([
          import('../plan/refs.ts'),
          import('../plan/plan.ts'),
          import('../plan/report.ts'),
        ])
        const folder = String(dir)
        const options = command.opts<Options>()
        const days = Number(options.days)
        if (!(days > 0 && days <= 36_500))
          throw new OstiaryError('cli/usage', { problem: `\`${options.days}\` is no number of days`, command: 'plan' })
        const made = await makePlan({
          from: await readVersion(options.from, folder, options.environment, command),
          to: await readVersion(options.to ?? folder, folder, options.environment, command),
          folder,
          record: typeof options.replay === 'string' ? options.replay : undefined,
          skip: options.replay === false,
          days,
          now: Date.now(),
        })
        const asJson = output.json || options.format === 'json'
        output.answer(asJson ? JSON.stringify(made, asData, 2) : renderPlan(made, days, options.format === 'markdown'), data(made))
        return exitCode(made, options.failOn)
      }),
    )

/** Sets as lists. */
function asData(_: string, value: unknown): unknown {
  return value instanceof Set ? [...(value as ReadonlySet<unknown>)] : value
}

function data(made: Plan): unknown {
  return JSON.parse(JSON.stringify(made, asData))
}

function exitCode({ comparison: { changes, notProven } }: Plan, failOn: Options['failOn']): number {
  if (failOn === undefined) return 0
  if (changes.some(({ direction }) => failOn === 'any' || direction !== 'narrower')) return 1
  return notProven.length > 0 ? 2 : 0
}
