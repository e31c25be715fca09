import type { Register } from './index.ts'

interface Options {
  readonly config?: string
  readonly env?: string
  readonly demo?: boolean
  readonly data?: string
  readonly quiet?: boolean
}

export const up: Register = (root, action) =>
  void root
    .command('up')
    .description('run the gateway')
    .option('--config <dir>', 'folder with ostiary.yaml')
    .option('--env <name>', 'environment to lay over it: environments/<name>.yaml')
    .option('--demo', 'with an embedded identity provider and demo resources, on loopback only')
    .option('--data <dir>', 'data directory, in place of the configured one')
    .option('--quiet', 'print only problems')
    .action(
      action(async ({ output }, _, command) => {
        const { runUp } = await import('../up/run.ts')
        return runUp(command.opts<Options>(), output)
      }),
    )
