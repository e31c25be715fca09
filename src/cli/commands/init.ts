import { flags, type Key } from '../init/flags.ts'
import { renderFinding } from './doctor.ts'
import type { Register } from './index.ts'
import { paint } from '../output.ts'

export const init: Register = (root, action) => {
  const command = root
    .command('init')
    .description('write a first configuration for one provider and one API: says what to register there, and looks whether it works')
    .argument('[dir]', 'folder to write it into; files that are there stay as they are', '.')
  for (const [flag, asks] of Object.values(flags)) command.option(flag, lowered(asks).replaceAll('`', ''))
  command
    .option('-y, --yes', 'ask nothing: take the defaults for what is not given')
    .option('--no-doctor', 'do not ask the provider')
    .action(
      action(async ({ output }, [dir], self) => {
        const [{ init: begin }, { personAt }, { systemClock }] = await Promise.all([
          import('../init/init.ts'),
          import('../init/ask.ts'),
          import('../../core/clock.ts'),
        ])
        const options = self.opts<Record<string, unknown>>()
        const given = Object.fromEntries(Object.entries(options).filter(([key]) => Object.hasOwn(flags, key))) as Partial<
          Record<Key, string>
        >
        const interactive = options['yes'] !== true && process.stdin.isTTY && !output.json
        // The answer of a script is JSON alone; what a person is told is beside the answer.
        const say = (text: string): void => void (output.json || process.stdout.write(`${text}\n`))
        const person = interactive ? personAt(process.stdin, process.stdout) : undefined
        const told: Record<string, unknown> = {}
        try {
          const { wrong, issuer } = await begin({
            folder: typeof dir === 'string' ? dir : '.',
            given,
            person,
            clock: systemClock,
            doctor: options['doctor'] !== false,
            onWays(ways) {
              told['registration'] = ways
              say(ways.map(({ title, text }) => `${paint('bold', title)}\n\n${text}\n`).join('\n'))
            },
            onWritten(files) {
              told['written'] = files
              say(`written: ${files.join(', ')}`)
            },
            onFindings(findings) {
              told['findings'] = findings
              say(findings.map(renderFinding).join('\n'))
            },
          })
          if (output.json) output.answer('', told)
          else say(nextSteps(typeof dir === 'string' ? dir : '.', wrong, issuer))
          return wrong ? 1 : 0
        } finally {
          person?.close()
        }
      }),
    )
}

function nextSteps(dir: string, wrong: boolean, issuer: string): string {
  return wrong
    ? `\nmend what is wrong, and look again: ostiary doctor issuer ${issuer} --config ${dir}`
    : `\nstart it: ostiary up --config ${dir}\nif a sign-in fails: ostiary doctor token --config ${dir}, and paste what it says`
}

/** A question as the description of an option; names such as URL stay as they are. */
function lowered(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text
}
