import type { CatalogueEntry } from '../errors.ts'

export const xds = {
  'xds/message': {
    message: 'a message `{type}` of Envoy can not be read or written ({problem})',
    help: 'use the messages of the version of Envoy’s interface that this version of the gateway knows',
    exit: 65,
  },
  'xds/duplicate': { message: 'two {kind} are called `{name}`', help: 'give one of them another name', exit: 65 },
  'xds/address': {
    message: 'the listeners `{other}` and `{name}` are both on `{address}`',
    help: 'give one of them another address or port',
    exit: 65,
  },
  'xds/missing': {
    message: '{count} names lead nowhere, so nothing of it was sent: {names}',
    help: 'add what is named, or take out what names it',
    exit: 65,
  },
  'xds/empty': {
    message: 'nothing at all would be left to the node',
    help: 'say that it is meant to be empty; otherwise what it has stays',
    exit: 65,
  },
  'xds/size': { message: 'what the node would get is {bytes} bytes, more than {limit}', help: 'split it over several nodes', exit: 65 },
  'xds/saved': {
    message: 'what was saved for a node can not be used ({problem})',
    help: 'delete it; it is made anew from the policy',
    exit: 65,
  },
  'xds/loopback': {
    message: 'without certificates nodes are only served on loopback, not on `{host}`',
    help: 'use 127.0.0.1, or give a certificate and the authority of the nodes',
    exit: 65,
  },
  'xds/too-many-nodes': { message: 'there are {limit} nodes already', help: 'raise the limit of nodes, or forget some', exit: 65 },
} as const satisfies Record<string, CatalogueEntry>
