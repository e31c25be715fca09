import type { Register } from './index.ts'
import { awsOptions } from '../aws/options.ts'
import { adminClient, adminOptions, adminUrl } from '../admin.ts'

export const login: Register = (root, action) =>
  void awsOptions(adminOptions(root.command('login')))
    .description('sign in with the device code flow, or with AWS credentials, for the commands that ask a gateway')
    .option('--issuer <name>', 'issuer to sign in with, where the gateway has several')
    .action(
      action(async ({ output }, _, command) => {
        if (command.opts<{ aws?: boolean }>().aws === true) {
          const { awsLogin } = await import('../aws/token.ts')
          const { subject, expires } = await awsLogin(adminUrl(command), command)
          return output.answer(`signed in as ${subject} until ${expires}`, { subject, expires })
        }
        const { deviceLogin } = await import('../login.ts')
        const { issuer } = command.opts<{ issuer?: string }>()
        const { subject, expires } = await deviceLogin(adminUrl(command), issuer, (line) => process.stderr.write(`${line}\n`))
        output.answer(`signed in as ${subject} until ${expires}`, { subject, expires })
      }),
    )

export const logout: Register = (root, action) =>
  void adminOptions(root.command('logout'))
    .description('forget the sign-in kept on this machine')
    .action(
      action(async ({ output }, _, command) => {
        const { forget } = await import('../credentials.ts')
        const url = adminUrl(command)
        const had = forget(url)
        output.answer(had ? `signed out of ${url}` : `there was no sign-in for ${url}`, { url, had })
      }),
    )

interface Me {
  readonly issuer: string
  readonly subject: string
  readonly kind: string
  readonly display?: string
  readonly roles: readonly string[]
  readonly unknownRoles: readonly string[]
  readonly provenance: readonly { readonly role: string; readonly state: string; readonly claim?: string; readonly value?: string }[]
}

export const whoami: Register = (root, action) =>
  void adminOptions(root.command('whoami'))
    .description('who the gateway takes you for, with which roles and why')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        const me = (await client.request('GET', '/api/me')) as Me
        const roles = me.provenance.map(
          ({ role, state, claim, value }) =>
            `  ${role.padEnd(16)} ${state === 'held' ? '' : `${state} `}${claim === undefined ? 'built in' : `claim ${claim}${value === undefined ? '' : ` contains ${value}`}`}`,
        )
        output.answer(
          [`${me.display ?? me.subject} (${me.kind})`, `issuer   ${me.issuer}`, `subject  ${me.subject}`, 'roles', ...roles].join('\n'),
          me,
        )
      }),
    )
