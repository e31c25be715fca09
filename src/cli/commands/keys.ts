import { join } from 'node:path'
import { Argument } from 'commander'
import type { Register } from './index.ts'
import { adminOptions, adminClient } from '../admin.ts'

export const keys: Register = (root, action) => {
  const group = root.command('keys').description('the gateway’s own keys')
  group
    .command('public')
    .description('the public keys, as a JWKS: kept elsewhere, those of checkpoints prove the record to who trusts this machine no more')
    .addArgument(new Argument('[purpose]', 'what the keys sign').choices(['checkpoint', 'assertion']).default('checkpoint'))
    .option('--data <dir>', 'data directory of the gateway', '.ostiary/demo')
    .action(
      action(async ({ output }, [purpose], command) => {
        const { readPublicKeys } = await import('../../secrets/keyring.ts')
        const jwks = readPublicKeys(join(String(command.opts()['data']), 'keys'), purpose === 'assertion' ? 'assertion' : 'checkpoint')
        output.answer(JSON.stringify(jwks, undefined, 2), jwks)
        return jwks.keys.length === 0 ? 1 : 0
      }),
    )
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
