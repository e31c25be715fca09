import type { Command } from 'commander'
import { adminClient, adminOptions } from '../admin.ts'
import type { RevocationAnswer, SessionAnswer, SessionsAnswer } from '../../server/admin/shapes.ts'
import { clean, shownTime, table } from '../output.ts'
import type { Register } from './index.ts'

export const sessions: Register = (root, action) => {
  const group = root.command('sessions').description('browser sessions: list them, end one')

  adminOptions(group.command('list'))
    .description('sessions that are good now, the newest first; times are UTC')
    .option('--issuer <name>', 'those of one issuer')
    .option('--subject <subject>', 'those of one subject, as the list shows it')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        const { issuer, subject } = command.opts<{ issuer?: string; subject?: string }>()
        const parameters = new URLSearchParams({
          limit: '1000',
          ...(issuer === undefined ? {} : { issuer }),
          ...(subject === undefined ? {} : { subject }),
        })
        const all: SessionAnswer[] = []
        for (let next: string | undefined = ''; next !== undefined;) {
          const page = (await client.request('GET', `/api/sessions?${parameters.toString()}`)) as SessionsAnswer
          all.push(...page.sessions)
          ;({ next } = page)
          if (next !== undefined) parameters.set('after', next)
        }
        const rows = all.map((one) => [
          one.id,
          clean(one.display ?? ''),
          one.issuer,
          clean(one.subject),
          one.kind,
          shownTime(one.createdAt),
          shownTime(one.seenAt),
          shownTime(one.endsAt),
          one.own ? 'yours' : '',
        ])
        output.answer(
          all.length === 0 ? 'no session' : table(['id', 'who', 'issuer', 'subject', 'kind', 'since', 'last used', 'ends', ''], rows),
          all,
        )
      }),
    )

  adminOptions(group.command('end'))
    .description('end a session at once, with all that it has open')
    .argument('<id>', 'as `ostiary sessions list` shows it')
    .action(
      action(async ({ output }, [id], command) => {
        const client = await adminClient(command)
        const answer = await client.request('DELETE', `/api/sessions/${encodeURIComponent(String(id))}`)
        output.answer(`session ${String(id)} has ended`, answer)
      }),
    )
}

type Body = Readonly<Record<string, string | undefined>>

export const revoke: Register = (root, action) => {
  const group = root.command('revoke').description('end access at once, on every door and open stream; each is recorded with its reason')

  const kind = (name: string, description: string, names: readonly (readonly [string, string])[], lasting: boolean): Command => {
    const command = adminOptions(group.command(name)).description(description)
    for (const [argument, help] of names) command.argument(`<${argument}>`, help)
    if (lasting) command.option('--for <duration>', 'how long, such as `8h`; default: until it is lifted')
    if (name === 'issued-before') command.option('--subject <subject>', 'only what one subject was issued')
    return command.requiredOption('--reason <text>', 'why, for the record').action(
      action(async ({ output }, values, self) => {
        const client = await adminClient(self)
        const options = self.opts<{ reason: string; for?: string; subject?: string }>()
        const said: Body = Object.fromEntries(names.map(([argument], at) => [FIELDS[argument] ?? argument, String(values[at])]))
        const body: Body = { kind: name, ...said, subject: said['subject'] ?? options.subject, for: options.for, reason: options.reason }
        const answer = (await client.request('POST', '/api/revocations', body)) as RevocationAnswer
        const until = answer.until === undefined ? 'until it is lifted' : `kept until ${shownTime(answer.until)} UTC`
        output.answer(`revoked: ${describe(answer)}; ${until}\nto take it back: ostiary revocations lift ${answer.id}`, answer)
      }),
    )
  }
  const issuer = ['issuer', 'name of the issuer in ostiary.yaml'] as const
  kind('session', 'one browser session', [['id', 'as `ostiary sessions list` shows it']], false)
  kind('subject', 'shut out a subject: all it has, and all it is issued later', [issuer, ['subject', 'as the record shows it']], true)
  kind('token', 'one token', [issuer, ['token-id', 'its `jti` or `uti`, as the record shows it; never the token']], false)
  kind(
    'client',
    'shut out a client or agent, also where it acts for somebody',
    [issuer, ['client-id', 'client id, as the record shows it']],
    true,
  )
  kind(
    'issued-before',
    'all that was issued until an instant; who signs in anew is let in',
    [issuer, ['instant', '`now`, a time such as 2026-01-31T12:00:00Z, or an age such as 15m']],
    false,
  )
}

/** Names of the API for what the command line calls otherwise. */
const FIELDS: Readonly<Record<string, string>> = { id: 'session', 'token-id': 'token', 'client-id': 'client', instant: 'before' }

function describe({ target }: RevocationAnswer): string {
  const { kind, issuer, ...rest } = target
  return clean([kind, issuer, ...Object.values(rest)].filter((one) => one !== undefined).join(' '))
}

export const revocations: Register = (root, action) => {
  const group = root.command('revocations').description('what is revoked: list it, lift it')

  adminOptions(group.command('list'))
    .description('revocations that hold, the oldest first; times are UTC')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        const all = (await client.request('GET', '/api/revocations')) as readonly RevocationAnswer[]
        const rows = all.map((one) => [
          one.id,
          describe(one),
          shownTime(one.createdAt),
          one.until === undefined ? 'when lifted' : shownTime(one.until),
          clean(one.by),
          clean(one.reason),
        ])
        output.answer(all.length === 0 ? 'nothing is revoked' : table(['id', 'what', 'since', 'ends', 'by', 'reason'], rows), all)
      }),
    )

  adminOptions(group.command('lift'))
    .description('take a revocation back; what is still valid is good again, an ended session is not')
    .argument('<id>', 'as `ostiary revocations list` shows it')
    .action(
      action(async ({ output }, [id], command) => {
        const client = await adminClient(command)
        const answer = (await client.request('DELETE', `/api/revocations/${encodeURIComponent(String(id))}`)) as RevocationAnswer
        output.answer(`lifted: ${describe(answer)}`, answer)
      }),
    )
}
