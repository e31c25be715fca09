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
} as const satisfies Record<string, CatalogueEntry>
