import type { Register } from './index.ts'
import { counted, paint, renderDiagnostic } from '../output.ts'

export const check: Register = (root, action) =>
  void root
    .command('check')
    .description('read a configuration and say everything that is wrong or doubtful')
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--strict', 'warnings fail too')
    .action(
      action(async ({ output }, [dir], command) => {
        const { loadConfiguration } = await import('../../server/configuration.ts')
        const folder = String(dir)
        const { env, strict } = command.opts<{ env?: string; strict?: boolean }>()
        const { diagnostics, policy } = loadConfiguration(folder, env)
        const errors = diagnostics.filter(({ severity }) => severity === 'error').length
        const warnings = diagnostics.length - errors
        if (output.json) output.answer('', { version: policy?.version, errors, warnings, diagnostics })
        else {
          for (const one of diagnostics) process.stderr.write(`${renderDiagnostic(one, folder)}\n\n`)
          const doubts = counted(warnings, 'warning')
          const size = policy === undefined ? '' : `, ${policy.rules.length} rules and guardrails, ${counted(policy.roles.length, 'role')}`
          const summary = errors > 0 ? paint('red', `${counted(errors, 'error')}, ${doubts}`) : `${paint('green', 'ok')}: ${doubts}${size}`
          output.answer(summary, {})
        }
        return errors > 0 || (strict === true && warnings > 0) ? 1 : 0
      }),
    )
