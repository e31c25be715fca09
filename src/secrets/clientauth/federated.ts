import type { SecretSource } from '../source.ts'
import { assertionProof, type ClientAuth } from './auth.ts'

/**
 * Proves the client by a token that somebody else issued to it (workload identity federation): the one that the platform projects into a
 * file, read for each proof because the platform renews it.
 */
export function federatedAuth(clientId: string, token: SecretSource): ClientAuth {
  let used: string | undefined
  const read = async (): Promise<string> => (await token.read()).reveal().trim()
  return {
    kind: 'federated',
    async prove() {
      used = await read()
      return assertionProof(clientId, used)
    },
    async renew() {
      await token.refresh()
      return (await read()) !== used
    },
    warning: () => undefined,
    close: () => undefined,
  }
}
