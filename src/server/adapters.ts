import type { Wiring } from '../config/schema.ts'
import type { AssertionSigner } from '../doors/http/assertion.ts'
import type { Keyring } from '../secrets/keyring.ts'

/** The gateway's assertion key as the doors want it. */
export function assertionSigner(keyring: Keyring, { name, assertions }: Pick<Wiring, 'name' | 'assertions'>): AssertionSigner {
  return {
    issuer: assertions.issuer ?? name,
    get kid() {
      return keyring.assertion.kid
    },
    sign: (input) => keyring.assertion.sign(input),
    jwks: () => keyring.jwks('assertion'),
  }
}
