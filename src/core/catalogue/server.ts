import type { CatalogueEntry } from '../errors.ts'

export const server = {
  'server/listen': { message: 'can not listen on {address} for {what} ({cause})', help: 'change `{where}`', exit: 71 },
  'server/data-dir': {
    message: 'the data directory `{dir}` can not be written ({cause})',
    help: 'make it writable for this user, or set `dataDir` in ostiary.yaml',
    exit: 73,
  },
  'server/reserved': { message: 'the name `{name}` is the gateway’s own', help: 'give the {what} another name', exit: 65 },
  'server/host': {
    message: 'this host name is not the admin listener’s',
    help: 'use the address that the gateway printed, or list the name under `admin.hosts`',
    status: 421,
  },
  'server/origin': { message: 'a request from another origin was refused', help: 'use the console itself', status: 403 },
  'server/bad-request': { message: '{problem}', help: 'correct the request', status: 400, exit: 2 },
  'server/unknown-principal': {
    message: 'nobody called `{name}` is in the record of the last {where}',
    help: 'write `issuer/subject`; whoever never came is known to the provider alone: `who-can` answers in roles',
    status: 404,
    exit: 1,
  },
  'server/too-many-questions': {
    message: 'too many questions at a time',
    help: 'ask fewer in a second; decisions that hold can be kept by whoever asks',
    status: 429,
    exit: 75,
  },
  'server/reload-time': {
    message: 'reading the configuration took longer than {limit}; what runs goes on',
    help: 'see what is large or new in it; `ostiary check` reads it without a limit',
  },
  'server/reload-memory': {
    message: 'reading the configuration needs more than {limit} of memory; what runs goes on',
    help: 'see what is large or new in it, or give the gateway more memory: half of it may be used for this',
  },
  'server/reload-ended': {
    message: 'reading the configuration ended before its time ({cause}); what runs goes on',
    help: 'try again; if it happens again, it is a fault of the program',
  },
  'server/no-rollout': {
    message: 'no roll-out to Envoys is under way',
    help: 'see what each of them has with `ostiary envoy status`',
    status: 409,
    exit: 1,
  },
  'server/not-held': {
    message: 'version `{version}` is not to be released: {cause}',
    help: 'see what waits with `ostiary policy status`',
    status: 409,
    exit: 1,
  },
  'server/hold-unreadable': {
    message: 'the version that was in force last holds what widens access, and can not be compared with any more ({cause})',
    help: 'run the version of Ostiary that it was in force with, or, to begin with what the folder holds whatever it widens, move `{dir}` away',
    exit: 78,
  },
  'server/not-found': { message: 'there is nothing here', help: 'see docs/admin-api.md', status: 404 },
  'server/not-told': {
    message: 'no Envoy told of a request `{request}`',
    help: 'it tells with `doors.envoy.checks` alone, seconds later, and what it can’t send it drops; its own log has response details, which can be asked about as well',
    exit: 66,
    status: 404,
  },
} as const satisfies Record<string, CatalogueEntry>
