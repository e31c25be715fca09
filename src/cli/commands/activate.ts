import { adminClient, adminOptions } from '../admin.ts'
import type { ActivationAnswer, OwnActivationsAnswer } from '../../server/admin/shapes.ts'
import { clean, shownTime, table } from '../output.ts'
import type { Register } from './index.ts'

const at = (id: string): string => encodeURIComponent(id)

export const activate: Register = (root, action) =>
  void adminOptions(root.command('activate'))
    .description('activate a role that the policy lets you have for a time; it is recorded with its reason')
    .argument('<role>', 'as `ostiary activations list` shows what you may have')
    .option('--for <duration>', 'how long, such as `30m`', '1h')
    .requiredOption('--reason <text>', 'why, for the record')
    .action(
      action(async ({ output }, [role], command) => {
        const client = await adminClient(command)
        const { for: lasting, reason } = command.opts<{ for: string; reason: string }>()
        const body = { for: lasting, reason }
        const answer = (await client.request('POST', `/api/activations/own/${at(String(role))}`, body)) as ActivationAnswer
        output.answer(
          `role ${answer.role} is active until ${shownTime(answer.until)} UTC\nto end it before: ostiary activations end ${answer.id}`,
          answer,
        )
      }),
    )

export const activations: Register = (root, action) => {
  const group = root.command('activations').description('eligible roles that are active for a time: list them, end one')

  adminOptions(group.command('list'))
    .description('what you may activate, and what is active, the oldest first; times are UTC')
    .option('--all', 'what is active for everybody')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        if (command.opts<{ all?: boolean }>().all === true) {
          const all = (await client.request('GET', '/api/activations')) as readonly ActivationAnswer[]
          output.answer(all.length === 0 ? 'no eligible role is active' : shown(all, true), all)
          return
        }
        const own = (await client.request('GET', '/api/activations/own')) as OwnActivationsAnswer
        const may = own.eligible.length === 0 ? 'you may activate no role' : `you may activate: ${own.eligible.join(', ')}`
        output.answer([may, own.active.length === 0 ? 'none is active' : shown(own.active, false)].join('\n'), own)
      }),
    )

  adminOptions(group.command('end'))
    .description('end one before its time, with all that is open by it')
    .argument('<id>', 'as `ostiary activations list` shows it')
    .option('--anybody', 'also one that is not yours')
    .action(
      action(async ({ output }, [id], command) => {
        const client = await adminClient(command)
        const whose = command.opts<{ anybody?: boolean }>().anybody === true ? '' : 'own/'
        const answer = (await client.request('DELETE', `/api/activations/${whose}${at(String(id))}`)) as ActivationAnswer
        output.answer(`role ${answer.role} is active no more`, answer)
      }),
    )
}

function shown(all: readonly ActivationAnswer[], everybody: boolean): string {
  const who = ({ issuer, subject, display }: ActivationAnswer): readonly string[] => [clean(display ?? ''), issuer, clean(subject)]
  return table(
    ['id', 'role', ...(everybody ? ['who', 'issuer', 'subject'] : []), 'since', 'ends', 'reason'],
    all.map((one) => [one.id, one.role, ...(everybody ? who(one) : []), shownTime(one.from), shownTime(one.until), clean(one.reason)]),
  )
}
