import type { Register } from './index.ts'
import { adminClient, adminOptions } from '../admin.ts'

export const whoCan: Register = (root, action) =>
  void adminOptions(root.command('who-can'))
    .description('who can do something, in roles and in what gives them: by a configuration, or by the gateway that runs')
    .argument('<action>', 'one concrete action, such as "DELETE /orders/7"')
    .requiredOption('--on <resource>', 'the resource')
    .option('--config <dir>', 'ask the configuration in this folder in place of a gateway')
    .option('--env <name>', 'with --config, environment to lay over it')
    .action(
      action(async ({ output }, [text], command) => {
        const { on, config, env } = command.opts<{ on: string; config?: string; env?: string }>()
        if (config === undefined) {
          const client = await adminClient(command)
          const query = new URLSearchParams({ action: String(text), resource: on })
          const answer = (await client.request('GET', `/api/who-can?${query.toString()}`)) as { text: string }
          return output.answer(answer.text, answer)
        }
        const { askConfiguration } = await import('../../server/configuration.ts')
        const { renderWhoCan } = await import('../../policy/index.ts')
        const answer = askConfiguration(config, env, String(text), on)
        output.answer(renderWhoCan(answer), answer)
      }),
    )

export const access: Register = (root, action) =>
  void adminOptions(root.command('access'))
    .description('what somebody has access to, and by what: as the record knows them, by the policy in force')
    .argument('<principal>', 'issuer/subject, subject, or the name that records show')
    .action(
      action(async ({ output }, [principal], command) => {
        const client = await adminClient(command)
        const query = new URLSearchParams({ principal: String(principal) })
        const answer = (await client.request('GET', `/api/access?${query.toString()}`)) as { text: string }
        output.answer(answer.text, answer)
      }),
    )

export const canI: Register = (root, action) =>
  void adminOptions(root.command('can-i'))
    .description('whether the gateway would let you do something, and why; exits with 1 if not')
    .argument('<action>', 'one concrete action, such as "DELETE /orders/7"')
    .requiredOption('--on <resource>', 'the resource')
    .action(
      action(async ({ output }, [text], command) => {
        const client = await adminClient(command)
        const query = new URLSearchParams({ action: String(text), resource: command.opts<{ on: string }>().on })
        const answer = (await client.request('GET', `/api/can-i?${query.toString()}`)) as { allowed: boolean; text: string }
        output.answer(answer.text, answer)
        return answer.allowed ? 0 : 1
      }),
    )
