import type { CatalogueEntry } from '../errors.ts'

export const target = {
  'target/not-native': {
    message: '`{what}` can not be enforced by {target}: {why}',
    help: 'change it; or let the gateway’s own door serve `{resource}`: {leave}; or have the gateway asked about each request: {ask}',
    exit: 65,
  },
  'target/not-carried': {
    message: '`{resource}` can not be carried by {target}: {why}',
    help: 'change it, or let the gateway’s own door serve `{resource}`: {leave}',
    exit: 65,
  },
  'target/can-not-tell': {
    message: '{target} can not tell {what}',
    help: 'where {ensure}, write `{assumption}` under `targets.{name}.assume`; or let the gateway’s own door serve {resources}',
    exit: 65,
  },
  'target/no-keys': {
    message: '{target} has no keys of issuer `{issuer}`: {why}',
    help: '{help}',
    exit: 65,
  },
  'target/no-resource': {
    message: '{target} is to carry `{resource}`, which is no resource that speaks http',
    help: 'write names of `resources:` with `protocol: http`',
    exit: 65,
  },
  'target/none': {
    message: 'there is nothing to compile for: {where} names nothing',
    help: 'write it first, as docs/{document} says',
    exit: 66,
  },
  'target/no-target': {
    message: 'there is no target `{name}` of kind `{kind}` in `targets`',
    help: 'there are {known}',
    exit: 64,
  },
  'target/no-node': {
    message: 'there is no Envoy `{name}` in `doors.envoy.nodes`',
    help: 'there are {known}',
    exit: 64,
  },
} as const satisfies Readonly<Record<string, CatalogueEntry>>
