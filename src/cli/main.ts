import { Command, CommanderError } from 'commander'
import { commands } from './commands/index.ts'
import { makeOutput, report, type Output } from './output.ts'
import { version } from './version.ts'

/** What every command gets besides its own arguments. */
export interface CommandContext {
  readonly output: Output
}

/** The whole command line, one command per file in `commands/`. Heavy modules are imported by a command when it runs. */
export function program(onExit: (code: number) => void): Command {
  const root = new Command('ostiary')
    .description('an identity-aware proxy: one gateway, one policy, every decision explained and recorded')
    .version(version())
    .option('--json', 'answer in JSON, for scripts')
    .showHelpAfterError('(add --help for the options)')
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false })
    .exitOverride()
  for (const register of commands) {
    register(root, (run) => async (...all: unknown[]) => {
      const command = all.at(-1) as Command
      const json = command.optsWithGlobals<{ json?: boolean }>().json === true
      try {
        onExit((await run({ output: makeOutput(json) }, all.slice(0, -1), command)) ?? 0)
      } catch (error) {
        const { config } = command.optsWithGlobals<{ config?: string }>()
        onExit(report(error, json, config))
      }
    })
  }
  return root
}

/** Runs the command line. Answers the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let exit = 0
  try {
    await program((code) => (exit = code)).parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    return report(error, argv.includes('--json'))
  }
  return exit
}

if (import.meta.main) {
  // A reader that goes away (`| head`) is no fault of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 74))
  // The clock's timers keep nobody alive: a command that waits for one is not over.
  const running = setInterval(() => undefined, 2 ** 30)
  process.exitCode = await main(process.argv.slice(2))
  clearInterval(running)
  // Whatever is still open (an idle keep-alive connection) must not hold the prompt back once the answer is out.
  process.stdout.write('', () => process.exit())
}
