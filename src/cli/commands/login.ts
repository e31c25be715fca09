import type { Register } from './index.ts'
import type { LoginOptions, SignedIn } from '../login.ts'
import { awsOptions } from '../aws/options.ts'
import { sshOptions } from '../ssh/options.ts'
import { adminClient, adminOptions, adminUrl } from '../admin.ts'
import { shownTime } from '../output.ts'

export const login: Register = (root, action) =>
  void sshOptions(awsOptions(adminOptions(root.command('login'))))
    .description('sign in for the commands that ask a gateway: with a browser, by a code on another machine, or as what runs here')
    .option('--issuer <name>', 'issuer to sign in with, where the gateway has several')
    .option('--browser', 'with a browser on this machine; the default where there is one')
    .option('--device', 'by a code that is entered in a browser anywhere; the default where there is no browser')
    .option('--port <port>', 'with --browser, the port of localhost that the provider answers to; default: a free one')
    .option('--workload', 'without asking anybody, as the job, pod or machine that this is')
    .option('--token-file <file>', 'with --workload, the file that the platform keeps its token in', process.env['OSTIARY_TOKEN_FILE'])
    .action(
      action(async ({ output }, _, command) => {
        const options = command.opts<
          LoginOptions & { aws?: boolean; ssh?: boolean; workload?: boolean; audience?: string; tokenFile?: string }
        >()
        const url = adminUrl(command)
        const done = ({ subject, expires, kept }: SignedIn, how = ''): void =>
          output.answer(`signed in as ${subject}${how} until ${expires}, kept in ${kept}`, { subject, expires, kept })
        if (options.aws === true) {
          const { awsLogin } = await import('../aws/token.ts')
          return done(await awsLogin(url, command))
        }
        if (options.ssh === true) {
          const { sshLogin } = await import('../ssh/token.ts')
          return done(await sshLogin(url, command))
        }
        if (options.workload === true) {
          const { workloadLogin } = await import('../workload.ts')
          const signedIn = await workloadLogin(url, options)
          return done(signedIn, ` by ${signedIn.from}`)
        }
        const { personLogin } = await import('../login.ts')
        done(await personLogin(url, options, (line) => process.stderr.write(`${line}\n`)))
      }),
    )

export const logout: Register = (root, action) =>
  void adminOptions(root.command('logout'))
    .description('forget the sign-in kept on this machine')
    .action(
      action(async ({ output }, _, command) => {
        const { forget } = await import('../credentials.ts')
        const { locked } = await import('../signin/lock.ts')
        const url = adminUrl(command)
        const had = await locked(() => forget(url))
        output.answer(had ? `signed out of ${url}` : `there was no sign-in for ${url}`, { url, had })
      }),
    )

interface Provenance {
  readonly role: string
  readonly state: string
  readonly claim?: string
  readonly value?: string
  /** Of one that is active for a time: milliseconds since the epoch. */
  readonly until?: number
}

/** By what somebody has a role. */
function source({ claim, value, until }: Provenance): string {
  if (until !== undefined) return `active until ${shownTime(new Date(until).toISOString())} UTC`
  return claim === undefined ? 'built in' : `claim ${claim}${value === undefined ? '' : ` contains ${value}`}`
}

interface Me {
  readonly issuer: string
  readonly subject: string
  readonly kind: string
  readonly display?: string
  readonly roles: readonly string[]
  readonly unknownRoles: readonly string[]
  readonly provenance: readonly Provenance[]
}

export const whoami: Register = (root, action) =>
  void adminOptions(root.command('whoami'))
    .description('who the gateway takes you for, with which roles and why')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        const me = (await client.request('GET', '/api/me')) as Me
        const roles = me.provenance.map((one) => `  ${one.role.padEnd(16)} ${one.state === 'held' ? '' : `${one.state} `}${source(one)}`)
        output.answer(
          [`${me.display ?? me.subject} (${me.kind})`, `issuer   ${me.issuer}`, `subject  ${me.subject}`, 'roles', ...roles].join('\n'),
          me,
        )
      }),
    )
