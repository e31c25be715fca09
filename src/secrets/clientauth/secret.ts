import type { Secret } from '../../core/secret.ts'
import type { SecretSource } from '../source.ts'
import type { ClientAuth } from './auth.ts'
import { Overlap } from './overlap.ts'

/** A client secret (RFC 6749 §2.3.1), the last resort. The one before it is kept in memory, in case it was replaced too early. */
export function secretAuth(clientId: string, source: SecretSource): ClientAuth {
  const values = new Overlap<Secret>((a, b) => a.reveal() === b.reveal())
  return {
    kind: 'secret',
    async prove({ secretIn }) {
      values.adopt(await source.read())
      const secret = values.current()!.reveal()
      if (secretIn === 'body') return { headers: {}, form: { client_id: clientId, client_secret: secret } }
      // Form-encoded before base64: a colon or a percent sign in the secret must survive.
      const pair = Buffer.from(`${formEncode(clientId)}:${formEncode(secret)}`).toString('base64')
      return { headers: { authorization: `Basic ${pair}` }, form: {} }
    },
    async renew() {
      await source.refresh()
      const changed = values.adopt(await source.read())
      return changed || values.change()
    },
    warning: () => undefined,
    close: () => undefined,
  }
}

function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}
