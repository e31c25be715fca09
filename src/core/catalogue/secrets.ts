import type { CatalogueEntry } from '../errors.ts'

export const secrets = {
  'secrets/key-file-open': {
    message: 'the key file `{file}` can be read by others (mode {mode})',
    help: 'run `chmod 600` on it, and rotate the key if somebody else may have read it',
    exit: 77,
  },
  'secrets/key-folder-open': {
    message: 'the key folder `{dir}` can be entered by others (mode {mode})',
    help: 'run `chmod 700` on it',
    exit: 77,
  },
  'secrets/key-file': {
    message: 'the key file `{file}` can not be used ({cause})',
    help: 'restore it from a backup, or move it away: then a new key is made, and what the old one signed or sealed is no longer accepted',
    exit: 65,
  },
  'secrets/key-folder': {
    message: 'the key folder `{dir}` can not be used ({cause})',
    help: 'make it a folder that this user may write',
    exit: 73,
  },
  'secrets/not-set': {
    message: 'the environment variable `{name}`, which a secret is read from, is not set',
    help: 'set it in the environment of the gateway',
    exit: 78,
  },
  'secrets/unreadable': {
    message: 'the secret in `{file}` can not be read ({cause})',
    help: 'check that the file exists, holds the secret alone, and that this user may read it',
    exit: 66,
  },
  'secrets/certificate': {
    message: 'the client certificate can not be used ({cause})',
    help: 'name a PEM certificate in `clientAuth.certificate.cert` and its unencrypted RSA key in `clientAuth.certificate.key`',
    status: 503,
    exit: 66,
  },
  'secrets/managed-identity': {
    message: 'the managed identity gave no token ({cause})',
    help: 'check that an identity is assigned to where the gateway runs, and name it by `managedIdentity.clientId` if there are several',
    status: 503,
    exit: 69,
  },
  'secrets/vault': {
    message: 'secret `{name}` of key vault `{vault}` can not be read ({cause})',
    help: 'check the reference, `keyVault:` in the wiring, and that its identity has the role Key Vault Secrets User',
    status: 503,
    exit: 69,
  },
  'secrets/app-token': {
    message: 'the gateway got no token of its own from {endpoint} ({cause})',
    help: 'check that its client is registered there, how it proves itself, and which permissions it was granted',
    status: 503,
    exit: 69,
  },
} as const satisfies Record<string, CatalogueEntry>
