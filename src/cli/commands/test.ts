import type { Register } from './index.ts'
import { paint } from '../output.ts'

export const test: Register = (root, action) =>
  void root
    .command('test')
    .description('run the policy’s own tests: policy/**/*.test.yaml')
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .action(
      action(async ({ output }, [dir], command) => {
        const { testConfiguration } = await import('../../server/configuration.ts')
        const folder = String(dir)
        const results = testConfiguration(folder, command.opts<{ env?: string }>().env)
        const failed = results.filter(({ passed }) => !passed)
        const lines = results.map((result) =>
          result.passed
            ? `${paint('green', 'ok')}    ${result.name}`
            : `${paint('red', 'FAIL')}  ${result.name}\n      ${folder === '.' ? '' : `${folder}/`}${result.span.file}:${result.span.line}\n${result.message
                .split('\n')
                .map((line) => `      ${line}`)
                .join('\n')}`,
        )
        output.answer([...lines, `${results.length - failed.length} passed, ${failed.length} failed`].join('\n'), {
          passed: results.length - failed.length,
          failed: failed.length,
          results,
        })
        return failed.length > 0 ? 1 : 0
      }),
    )
