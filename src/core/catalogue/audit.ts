import type { CatalogueEntry } from '../errors.ts'

export const audit = {
  'audit/unavailable': {
    message: 'this can not be recorded now ({cause})',
    help: 'nothing happens without its record; free space on the disk of the data directory, or see `ostiary_audit` in the metrics',
    status: 503,
    exit: 74,
  },
  'audit/locked': {
    message: 'the record in `{dir}` is being written by another process ({owner})',
    help: 'stop that gateway, or give this one a `dataDir` of its own; two writers would break the chain',
    exit: 75,
  },
  'audit/unreadable': {
    message: 'the record in `{dir}` can not be read ({cause})',
    help: 'name the data directory of a gateway, and run this as the user that owns it',
    exit: 66,
  },
  'audit/no-anchor': {
    message: 'the anchor file `{file}` can not be read ({cause})',
    help: 'name a file of signed checkpoints; `--no-anchor` verifies without',
    exit: 66,
  },
  'audit/unknown-version': {
    message: 'the policy version `{version}` is not kept here',
    help: 'versions are kept as long as a record cites them',
    exit: 66,
  },
  'audit/version-mismatch': {
    message: 'the kept policy version `{version}` is not what was kept ({cause})',
    help: 'its file was altered; restore it from a backup or from version control',
    exit: 65,
  },
} as const satisfies Record<string, CatalogueEntry>
