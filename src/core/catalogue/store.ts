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
  'store/revocations': {
    message: 'what was revoked can not be read from `{file}` ({cause}), so nobody can be let in',
    help: 'make it readable and writable for this user, or restore it; moved away, everything that was revoked is good again until it expires',
    exit: 73,
  },
  'store/revocations-version': {
    message: 'the revocations in `{file}` were written by a newer version of this program (their schema is {version})',
    help: 'run that version; with the file moved away, everything that was revoked is good again until it expires',
    exit: 78,
  },
  'store/activations': {
    message: 'the roles that are active for a time can not be read from `{file}` ({cause})',
    help: 'make it readable and writable for this user, or move it away: then no role is active, and everybody activates anew',
    exit: 73,
  },
  'store/activations-version': {
    message: 'the activations in `{file}` were written by a newer version of this program (their schema is {version})',
    help: 'run that version, or move the file away: then no role is active, and everybody activates anew',
    exit: 78,
  },
} as const satisfies Record<string, CatalogueEntry>
