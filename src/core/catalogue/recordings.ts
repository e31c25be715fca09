import type { CatalogueEntry } from '../errors.ts'

export const recordings = {
  'recordings/unwritable': {
    message: 'this session can not be recorded ({cause})',
    help: 'free space on the disk of the data directory, and make `recordings` in it writable for the gateway’s user',
    status: 503,
    exit: 74,
  },
  'recordings/too-long': {
    message: 'the recording of this session has become longer than {limit} bytes',
    help: 'begin another session; the limit is that of the resource',
    exit: 74,
  },
  'recordings/unreadable': {
    message: 'the recording `{file}` can not be read ({cause})',
    help: 'name the data directory of a gateway, and run this as the user that owns it',
    exit: 66,
  },
  'recordings/unknown': {
    message: 'there is no recording of the decision `{id}`',
    help: '`ostiary recordings list` shows those that there are',
    exit: 66,
  },
} as const satisfies Record<string, CatalogueEntry>
