import type { ClientAuthConfig } from '../../config/clientauth.ts'
import type { AnySecretReference } from '../../config/fields.ts'
import type { Clock, Entropy } from '../../core/clock.ts'
import { localSecret, openSecret, type SecretPlaces } from '../source.ts'
import { publicClient, type ClientAuth } from './auth.ts'
import { CertificateAuth } from './certificateauth.ts'
import { federatedAuth } from './federated.ts'
import { managedIdentity, managedIdentityAuth } from './managedidentity.ts'
import { secretAuth } from './secret.ts'

export type { ClientAuth } from './auth.ts'

export interface ClientAuthDeps extends SecretPlaces {
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: (line: string) => void
  /** Where relative file names start. */
  readonly folder: string
  /** Default: the process's own. */
  readonly env?: NodeJS.ProcessEnv
}

export interface ClientSettings {
  readonly clientId: string
  /** Whose client it is, for the log: `issuer entra`. */
  readonly owner: string
  readonly clientSecret?: AnySecretReference | undefined
  readonly clientAuth?: ClientAuthConfig | undefined
}

/** How a client proves itself, as configured: without a secret by `clientAuth`, with one by `clientSecret`, or not at all. */
export function openClientAuth({ clientId, owner, clientSecret, clientAuth }: ClientSettings, deps: ClientAuthDeps): ClientAuth {
  const { folder, env = process.env } = deps
  if (clientAuth === undefined)
    return clientSecret === undefined ? publicClient(clientId) : secretAuth(clientId, openSecret(clientSecret, deps))
  if ('certificate' in clientAuth) {
    const { cert, key, algorithm, keyId } = clientAuth.certificate
    const pair = { cert: openSecret(cert, deps), key: openSecret(key, deps) }
    return new CertificateAuth({ clientId, owner, ...pair, algorithm, keyId }, deps)
  }
  if ('federated' in clientAuth) return federatedAuth(clientId, localSecret({ file: clientAuth.federated.file }, folder))
  return managedIdentityAuth(clientId, managedIdentity({ clientId: clientAuth.managedIdentity.clientId }, { ...deps, env }))
}
