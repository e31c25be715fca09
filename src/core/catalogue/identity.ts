import type { CatalogueEntry } from '../errors.ts'

export const identity = {
  'identity/provider-unavailable': {
    message: 'the provider of issuer `{issuer}` can not be reached ({cause})',
    help: 'check that the gateway can reach {url}, through the proxy if one is configured',
    status: 503,
    exit: 69,
  },
  'identity/outbound-proxy': {
    message: 'the proxy for requests of the gateway itself can not be used ({cause})',
    help: 'write its URL in `outbound.proxy`, or correct HTTPS_PROXY and HTTP_PROXY',
    exit: 78,
  },
  'identity/outbound-ca': {
    message: 'the authorities in `{file}` can not be used ({cause})',
    help: 'name a PEM file of certificates in `outbound.ca`',
    exit: 66,
  },
  'identity/too-many-sessions': {
    message: 'no more than {limit} browser sessions are kept',
    help: 'raise `sessions.maximum`, or shorten `sessions.idle` so that unused ones end sooner',
    status: 503,
    exit: 75,
  },
} as const satisfies Record<string, CatalogueEntry>
