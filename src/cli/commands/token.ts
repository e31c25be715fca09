import type { Register } from './index.ts'
import { awsOptions } from '../aws/options.ts'
import { sshOptions } from '../ssh/options.ts'

export const token: Register = (root, action) =>
  void sshOptions(awsOptions(root.command('token')))
    .description(
      'print an access token: of a demo account with --as, signed with AWS credentials with --aws or a certified SSH key with --ssh, else of `ostiary login`',
    )
    .option('--as <account>', 'demo account: reader, publisher, admin, auditor, ci, agent, …')
    .option('--token-version <version>', 'shape of the token of the demo: 1.0 or 2.0')
    .option('--shape <shape>', 'a faulty token of the demo: expired, wrong-audience, …')
    .option('--acrs <contexts>', 'authentication contexts that the token of the demo has, such as c1 or c1,c2')
    .option('--cp1', 'let the token of the demo say that its client handles claims challenges')
    .option('--provider <url>', 'the demo’s identity provider', 'http://127.0.0.1:8082')
    .option('--admin <url>', 'admin address of the gateway', process.env['OSTIARY_ADMIN'] ?? 'http://127.0.0.1:8081')
    .action(
      action(async ({ output }, _, command) => {
        const { aws, ssh } = command.opts<{ aws?: boolean; ssh?: boolean }>()
        if (aws === true || ssh === true) {
          const made =
            ssh === true ? (await import('../ssh/token.ts')).sshToken(command) : (await import('../aws/token.ts')).awsToken(command)
          const { token: value, expires } = await made
          const remaining = Math.floor((expires - Date.now()) / 1000)
          return output.answer(value, { access_token: value, token_type: 'Bearer', expires_in: remaining })
        }
        const options = command.opts<{
          as?: string
          tokenVersion?: string
          shape?: string
          acrs?: string
          cp1?: boolean
          provider: string
          admin: string
        }>()
        const { demoToken } = await import('../demo-token.ts')
        const { currentLogin } = await import('../signin/lasting.ts')
        const value =
          options.as === undefined
            ? (await currentLogin(options.admin.replace(/\/+$/, '')))?.token
            : await demoToken(options.provider, options.as, {
                version: options.tokenVersion,
                shape: options.shape,
                acrs: options.acrs?.split(','),
                cp1: options.cp1,
              })
        if (value === undefined) {
          const { OstiaryError } = await import('../../core/errors.ts')
          throw new OstiaryError('cli/not-signed-in', { url: options.admin })
        }
        output.answer(value, { access_token: value, token_type: 'Bearer' })
      }),
    )
