import { OstiaryError } from '../core/errors.ts'
import type { Issuer } from './issuer.ts'

/** What an issuer answers at which nobody signs in: its callers bring what they got elsewhere. */
export function withoutSignIn(name: string, url: string): Pick<Issuer, 'signIn' | 'verifyIdToken' | 'metadata'> {
  return {
    signIn: undefined,
    verifyIdToken: () => Promise.resolve({ outcome: 'rejected', reason: 'token-type' }),
    metadata: () => Promise.reject(new OstiaryError('identity/provider-unavailable', { issuer: name, cause: 'it has no sign-in', url })),
  }
}
