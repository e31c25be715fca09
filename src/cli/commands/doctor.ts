import type { Finding } from '../../server/doctor/finding.ts'
import type { Register } from './index.ts'
import { paint } from '../output.ts'

const MARKS = {
  ok: ['green', 'ok'],
  todo: ['cyan', 'to do'],
  doubtful: ['yellow', 'doubtful'],
  wrong: ['red', 'wrong'],
} as const satisfies Record<Finding['outcome'], readonly [Parameters<typeof paint>[0], string]>

/** One line of a look at an issuer, and what to write instead. */
export function renderFinding({ check, outcome, found, help }: Finding): string {
  const [colour, word] = MARKS[outcome]
  const line = `${paint(colour, word.padEnd(8))}  ${check.padEnd(8)}  ${found}`
  return help === undefined ? line : `${line}\n${' '.repeat(20)}help: ${help}`
}

export const doctor: Register = (root, action) => {
  const group = root.command('doctor').description('find out why something does not work')
  group
    .command('issuer')
    .description('ask an issuer’s provider as the gateway would, and say what is wrong and what to write instead')
    .argument('<name>', 'its name in ostiary.yaml')
    .option('--config <dir>', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .action(
      action(async ({ output }, [name], command) => {
        const [{ examineIssuer }, { systemClock }] = await Promise.all([
          import('../../server/doctor/issuer.ts'),
          import('../../core/clock.ts'),
        ])
        const { config: folder, env: environment } = command.opts<{ config: string; env?: string }>()
        const findings = await examineIssuer(String(name), { folder, environment, clock: systemClock })
        output.answer(findings.map(renderFinding).join('\n'), { issuer: String(name), findings })
        return findings.some(({ outcome }) => outcome === 'wrong') ? 1 : 0
      }),
    )
  group
    .command('token')
    .description('say what is wrong with a token, or with an error of a sign-in, and what to change where; the token is never shown')
    .argument('[file]', 'file that holds the token or the text of the error; default: standard input')
    .option('--config <dir>', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--issuer <name>', 'the issuer that it is meant for; default: the one whose it is')
    .action(
      action(async ({ output }, [file], command) => {
        const [{ examineToken }, { MAX_INPUT }, { readGivenText }, { renderReport }, { systemClock }, { OstiaryError }] = await Promise.all(
          [
            import('../../server/doctor/token/token.ts'),
            import('../../server/doctor/token/input.ts'),
            import('../doctor/given.ts'),
            import('../doctor/report.ts'),
            import('../../core/clock.ts'),
            import('../../core/errors.ts'),
          ],
        )
        const { config: folder, env: environment, issuer } = command.opts<{ config: string; env?: string; issuer?: string }>()
        const given = await readGivenText(typeof file === 'string' ? file : undefined, MAX_INPUT)
        const report = await examineToken(given, { folder, environment, issuer, clock: systemClock })
        if (report.outcome === 'nothing') throw new OstiaryError('cli/token-none')
        output.answer(renderReport(report), report)
        return report.outcome === 'good' ? 0 : 1
      }),
    )
}
