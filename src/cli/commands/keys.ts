import type { Register } from './index.ts'
import { adminOptions, adminClient } from '../admin.ts'

export const keys: Register = (root, action) => {
  const group = root.command('keys').description('the gateway’s own keys')
  adminOptions(group.command('rotate'))
    .description('take a new signing key; the old one stays published for the overlap')
    .argument('[purpose]', 'assertion or checkpoint', 'assertion')
    .action(
      action(async ({ output }, [purpose], command) => {
        const client = await adminClient(command)
        const answer = (await client.request('POST', `/api/keys/${encodeURIComponent(String(purpose))}/rotate`)) as {
          kid: string
          previous: string
        }
        output.answer(`new ${String(purpose)} key ${answer.kid}; ${answer.previous} stays published for the overlap`, answer)
      }),
    )
}
