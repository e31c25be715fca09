import type { Command } from 'commander'
import { OstiaryError } from '../../core/errors.ts'
import type { ActivationAnswer } from '../../server/admin/shapes.ts'
import type { ActiveRole } from '../../targets/kubernetes/timed.ts'
import { adminClient, adminOptions } from '../admin.ts'
import { brought, keepBringing, type BringOptions } from '../clusterroles.ts'
import type { Register } from './index.ts'

interface Options extends BringOptions {
  readonly activations?: boolean
  readonly watch?: boolean
}

/** `ostiary apply kubernetes`: by the user's own kubectl. */
export function applyKubernetes(group: Command, action: Parameters<Register>[1]): void {
  adminOptions(about(group.command('kubernetes')))
    .description('applies roles and bindings of the targets of kind `kubernetes`, by kubectl, and looks at what is there')
    .option('--diff', 'only look: ends with 1 where anything is not as it should be, and changes nothing')
    .option('--prune', 'remove what was applied once and is no part of the target any more: until then, it gives what it gave')
    .option('--activations', 'also bind whoever has activated an eligible role, as the gateway tells, and remove what of that is over')
    .option('--watch', 'with `--activations`: go on until it is ended, and then remove what was for a time')
    .action(
      action(async ({ output }, [dir], command) => {
        const options = command.opts<Options>()
        const active = options.activations === true ? activeAt(command) : undefined
        if (options.watch !== true) return brought(String(dir), options, { output, active })
        if (active === undefined || options.diff === true)
          throw new OstiaryError('cli/usage', { problem: '`--watch` goes with `--activations`, and not with `--diff`', command: 'apply' })
        await keepBringing(String(dir), options, { output, active, signal: ended() })
        return 0
      }),
    )
}

/** `ostiary drift kubernetes`. */
export function driftKubernetes(group: Command, action: Parameters<Register>[1]): void {
  adminOptions(about(group.command('kubernetes')))
    .description('how clusters differ from what the targets of kind `kubernetes` are to give; ends with 1 where they do')
    .option('--activations', 'with what is bound to whoever has activated an eligible role, as the gateway tells')
    .action(
      action(({ output }, [dir], command) => {
        const options = command.opts<Options>()
        const active = options.activations === true ? activeAt(command) : undefined
        return brought(String(dir), { ...options, diff: true }, { output, active })
      }),
    )
}

function about(command: Command): Command {
  return command
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--target <name>', 'one of them; default: all')
}

/** What is active now, as the gateway tells. The sign-in is looked at anew each time: it may have been renewed. */
function activeAt(command: Command): () => Promise<readonly ActiveRole[]> {
  return async () => {
    const client = await adminClient(command)
    const all = (await client.request('GET', '/api/activations')) as readonly ActivationAnswer[]
    return all.map(({ id, issuer, subject, role, until }) => ({ id, issuer, subject, role, until: Date.parse(until) }))
  }
}

function ended(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  return controller.signal
}
