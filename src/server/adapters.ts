import type { AssertionSigner } from '../doors/http/assertion.ts'
import type { Keyring } from '../secrets/keyring.ts'

/** The gateway's assertion key as the doors want it. `issuer` becomes `iss`. */
export function assertionSigner(keyring: Keyring, issuer: string): AssertionSigner {
  return {
    issuer,
    get kid() {
      return keyring.assertion.kid
    },
    sign: (input) => keyring.assertion.sign(input),
    jwks: () => keyring.jwks('assertion'),
  }
}
