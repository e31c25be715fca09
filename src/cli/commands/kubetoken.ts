import type { Register } from './index.ts'
import { adminUrl } from '../admin.ts'
import { OstiaryError } from '../../core/errors.ts'

export const kubeToken: Register = (root, action) =>
  void root
    .command('kube-token')
    .description('the credential plugin of kubectl: print a token of the sign-in, which contexts of `ostiary kubeconfig` ask for')
    .option('--admin <url>', 'admin address of the gateway', process.env['OSTIARY_ADMIN'] ?? 'http://127.0.0.1:8081')
    .option('--scope <scope>', 'what the provider calls the audience of a cluster that has its own, such as 6dae42f8-…/.default')
    .action(
      action(async (_, __, command) => {
        const { scope } = command.opts<{ scope?: string }>()
        const { credential } = await import('../kubernetes/credential.ts')
        const terminal = process.stdin.isTTY && process.stderr.isTTY
        const say = (line: string): void => void process.stderr.write(`ostiary: ${line}\n`)
        try {
          process.stdout.write(await credential({ url: adminUrl(command), scope }, { env: process.env, terminal, say }))
        } catch (error) {
          if (!(error instanceof OstiaryError)) throw error
          // kubectl prints it among its own lines, so it is one; and standard output is for the credential alone.
          say(`${error.message}: ${error.help}`)
          return error.exit
        }
        return 0
      }),
    )
