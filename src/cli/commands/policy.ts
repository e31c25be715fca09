import { z } from 'zod'
import { OstiaryError } from '../../core/errors.ts'
import { adminClient, adminOptions, type AdminClient } from '../admin.ts'
import type { Register } from './index.ts'

const change = z.object({
  from: z.string(),
  to: z.string(),
  widens: z.boolean(),
  gained: z.number(),
  lost: z.number(),
  different: z.number(),
  notProven: z.number(),
  cells: z.number(),
  lines: z.array(z.string()),
})
const reload = z.object({
  time: z.number(),
  accepted: z.boolean(),
  version: z.string(),
  diagnostics: z.array(
    z.object({ severity: z.string(), message: z.string(), span: z.object({ file: z.string(), line: z.number() }).optional() }),
  ),
  change: change.optional(),
  held: z.object({ version: z.string(), change }).optional(),
})
const answer = z.object({ policyVersion: z.string(), lastReload: reload })
type Answer = z.output<typeof answer>

export const policy: Register = (root, action) => {
  const group = root.command('policy').description('the version of the policy that a gateway runs')
  adminOptions(group.command('status'))
    .description('what is in force, what came of the last change, and what waits to be released')
    .action(
      action(async ({ output }, _, command) => {
        const status = await statusOf(await adminClient(command))
        output.answer(render(status), status)
      }),
    )
  adminOptions(group.command('reload'))
    .description('read the configuration folder now; exits with 1 where that is refused or held')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        await client.request('POST', '/api/policy/reload').catch((error: unknown) => {
          // Refused or held: what there is to say of it is in the status.
          if (!(error instanceof OstiaryError && error.code === 'cli/answer')) throw error
        })
        const status = await statusOf(client)
        output.answer(render(status), status)
        return status.lastReload.accepted ? 0 : 1
      }),
    )
  adminOptions(group.command('release'))
    .description('let a version take effect that is held because it widens access, or because that is not proven')
    .argument('<version>', 'the whole version, as `ostiary policy status` shows it')
    .action(
      action(async ({ output }, [version], command) => {
        const wanted = String(version)
        // It goes into a path.
        if (!/^sha256:[0-9a-f]{64}$/.test(wanted))
          throw new OstiaryError('cli/usage', { problem: `\`${wanted.slice(0, 80)}\` is no version`, command: 'policy release' })
        const client = await adminClient(command)
        await client.request('POST', `/api/policy/release/${wanted}`)
        const status = await statusOf(client)
        output.answer(render(status), status)
        return status.policyVersion === wanted ? 0 : 1
      }),
    )
}

async function statusOf(client: AdminClient): Promise<Answer> {
  const read = answer.safeParse(await client.request('GET', '/api/status'))
  if (!read.success) throw new OstiaryError('cli/answer', { status: 200, reason: 'it has no status of a policy' })
  return read.data
}

function render({ policyVersion, lastReload }: Answer): string {
  const { time, accepted, diagnostics, change: made, held } = lastReload
  const came = accepted ? 'taken on' : held === undefined ? 'refused' : 'held'
  const lines = [`in force     ${policyVersion}`, `last change  ${new Date(time).toISOString()}, ${came}`]
  for (const { severity, message, span } of diagnostics)
    lines.push(`  ${severity}: ${span === undefined ? '' : `${span.file}:${span.line} `}${message}`)
  if (made !== undefined) lines.push(...changed(made))
  if (held !== undefined)
    lines.push(`held         ${held.version}`, ...changed(held.change), `release it with \`ostiary policy release ${held.version}\``)
  return lines.join('\n')
}

function changed({ from, lines, cells }: z.output<typeof change>): readonly string[] {
  return [
    `  next to ${from}, by ${cells} cell${cells === 1 ? '' : 's'}:`,
    ...(lines.length === 0 ? ['no difference in access'] : lines).map((line) => `    ${line}`),
  ]
}
