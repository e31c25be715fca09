import type { CatalogueEntry } from '../errors.ts'

export const demo = {
  'demo/not-loopback': {
    message: 'the demo can not listen on `{host}`: it is reachable from outside this machine',
    help: 'use 127.0.0.1: its identity provider signs anybody in as anybody',
    exit: 78,
  },
  'demo/port-taken': {
    message: 'the address {address} for {what} is already in use',
    help: 'stop what listens there; another gateway with `--demo` may still run',
    exit: 75,
  },
  'demo/listen': { message: 'can not listen on {address} for {what} ({cause})', help: 'free the address', exit: 71 },
  'demo/data-dir': {
    message: 'the data directory `{dir}` can not be written ({cause})',
    help: 'make it writable for this user, or name another with `--data DIR`',
    exit: 73,
  },
  'demo/no-config': {
    message: 'this package holds no `examples/demo`',
    help: 'install it again',
    exit: 70,
  },
  'demo/no-provider': {
    message: 'no demo identity provider answers at {url} ({cause})',
    help: 'start the demo with `npm start`; only it has accounts to borrow',
    exit: 69,
  },
  'demo/no-account': {
    message: 'the demo has no token for `{account}`: {reason}',
    help: 'there are reader, publisher, admin, auditor, guest, overage, nobody, outsider, ci, managed-identity, agent, agent-for-reader and agent-user',
    exit: 2,
  },
} as const satisfies Record<string, CatalogueEntry>
