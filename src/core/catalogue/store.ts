import type { CatalogueEntry } from '../errors.ts'

export const store = {
  'store/open': {
    message: 'the store `{file}` can not be opened ({cause})',
    help: 'make it readable and writable for this user; moved away, it is made anew and everybody signs in again',
    exit: 73,
  },
  'store/version': {
    message: 'the store `{file}` was written by a newer version of this program (its schema is {version})',
    help: 'run that version, or move the file away: then everybody signs in again',
    exit: 78,
  },
} as const satisfies Record<string, CatalogueEntry>
