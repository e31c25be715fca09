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
  'identity/no-session': {
    message: 'there is no session `{session}`',
    help: 'it may have ended; `ostiary sessions list` shows those that are good now',
    status: 404,
    exit: 1,
  },
  'identity/sessions-unavailable': {
    message: 'the store of sessions can not be read',
    help: 'see the gateway’s own output, mend `sessions.db` in its data directory, and try again',
    status: 503,
    exit: 75,
  },
  'identity/no-revocation': {
    message: 'there is no revocation `{revocation}`',
    help: 'it may be over; `ostiary revocations list` shows those that hold',
    status: 404,
    exit: 1,
  },
  'identity/own-access': {
    message: 'this would shut out whoever asks for it, who could then not lift it',
    help: 'ask somebody else with the right to; to sign in anew yourself, end what was issued before now',
    status: 409,
    exit: 65,
  },
  'identity/revoked': {
    message: 'access of this identity was revoked',
    help: 'ask whoever revoked it to lift that',
    status: 403,
    exit: 77,
  },
  'identity/too-many-revocations': {
    message: 'no more than {limit} revocations are kept',
    help: 'lift those that are no longer needed, or end everything of an issuer before an instant',
    status: 503,
    exit: 75,
  },
  'identity/revocations-unavailable': {
    message: 'the store of revocations can not be written, so nothing was changed',
    help: 'see the gateway’s own output, mend `revocations.db` in its data directory, and try again; what was revoked before holds on',
    status: 503,
    exit: 75,
  },
  'identity/not-eligible': {
    message: 'role `{role}` can not be activated by whoever asks for it',
    help: 'eligible now: {eligible}; whoever writes the policy makes somebody eligible, and nobody activates a role for another',
    status: 403,
    exit: 77,
  },
  'identity/activation-too-long': {
    message: 'no role is active for longer than {most} at a time',
    help: 'ask for less, and again when that is over; `activations.atMost` of the gateway says how long is allowed',
    status: 400,
    exit: 2,
  },
  'identity/no-activation': {
    message: 'there is no activation `{activation}`, or it is somebody else’s',
    help: 'it may be over; `ostiary activations list` shows your own, with `--all` everybody’s',
    status: 404,
    exit: 1,
  },
  'identity/too-many-activations': {
    message: 'no more than {limit} activations are kept',
    help: 'end those that are no longer needed, or wait until they are over',
    status: 503,
    exit: 75,
  },
  'identity/activations-unavailable': {
    message: 'the store of activations can not be written, so nothing was changed',
    help: 'see the gateway’s own output, mend `activations.db` in its data directory, and try again; until then no eligible role is active',
    status: 503,
    exit: 75,
  },
  'identity/single-kind': {
    message: 'the issuers `{first}` and `{second}` are both of kind `{kind}`, and its tokens do not say which they are for',
    help: 'put what both accept into one issuer',
    exit: 65,
  },
  'identity/no-issuer': {
    message: 'there is no issuer `{issuer}` in this configuration',
    help: 'write one of: {known}',
    exit: 2,
  },
  'identity/same-tokens': {
    message: 'a token could be meant for the issuer `{first}` and for the issuer `{second}`',
    help: 'put what both accept into one issuer, or give opaque tokens of each `tokenPrefixes` of their own',
    exit: 65,
  },
} as const satisfies Record<string, CatalogueEntry>
