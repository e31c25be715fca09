import { Option } from 'commander'
import type { Register } from './index.ts'
import { report } from '../output.ts'
import { asJunit, asTap, asText, testFormats, type TestFormat, type TestRun } from '../testreport.ts'

const FORMATS: Readonly<Record<TestFormat, (run: TestRun, folder: string) => string>> = { text: asText, tap: asTap, junit: asJunit }

export const test: Register = (root, action) =>
  void root
    .command('test')
    .description('run the policy’s own tests: policy/**/*.test.yaml')
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .addOption(new Option('--format <format>', 'how results are told').choices(testFormats).default('text'))
    .option('--all-shown', 'fails if there is a rule that no test was granted by, or a guardrail that none was met by')
    .option('--watch', 'runs them again whenever a file changes, until it is interrupted')
    .action(
      action(async ({ output }, [dir], command) => {
        const { testConfiguration } = await import('../../server/configuration.ts')
        const folder = String(dir)
        const { env, format, allShown, watch } = command.opts<{ env?: string; format: TestFormat; allShown?: boolean; watch?: boolean }>()
        const once = (): number => {
          const run = testConfiguration(folder, env)
          const { results, coverage } = run
          const failed = results.filter(({ passed }) => !passed).length
          output.answer(FORMATS[format](run, folder), { passed: results.length - failed, failed, coverage, results })
          const unseen = coverage.uncovered.rules.length + coverage.uncovered.guardrails.length
          return failed > 0 || (allShown === true && unseen > 0) ? 1 : 0
        }
        if (watch !== true) return once()
        await again(folder, env, () => {
          try {
            once()
          } catch (error) {
            report(error, output.json, folder) // half-written is not the end
          }
        })
        return 0
      }),
    )

/** Runs at once and after every change, until the process is interrupted. */
async function again(folder: string, env: string | undefined, run: () => void): Promise<void> {
  const [{ watchFolder }, { fingerprintOf, lookBy }, { readSources }, { systemClock }] = await Promise.all([
    import('../../server/watch.ts'),
    import('../../server/look.ts'),
    import('../../config/load.ts'),
    import('../../core/clock.ts'),
  ])
  run()
  const read = () => readSources(folder, env)
  const watcher = watchFolder(folder, fingerprintOf(read()), () => lookBy(read), systemClock, run)
  await new Promise<void>((resolve) => process.once('SIGINT', resolve))
  watcher.close()
}
