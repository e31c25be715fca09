/** A SPIFFE ID taken apart. */
export interface SpiffeId {
  readonly trustDomain: string
  /** With its first slash, or empty: then it names the trust domain itself. */
  readonly path: string
}

/** SPIFFE-ID §2.1. */
export const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/
/** SPIFFE-ID §2.2 and §2.3: no empty segments, no dots that mean a place. */
const PATH = /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/
const MAX = 2048

/** undefined for what isn't one. Nothing is made canonical: ids are compared as they stand. */
export function readSpiffeId(text: string): SpiffeId | undefined {
  const scheme = 'spiffe://'
  if (text.length > MAX || !text.startsWith(scheme)) return undefined
  const rest = text.slice(scheme.length)
  const slash = rest.indexOf('/')
  const trustDomain = slash < 0 ? rest : rest.slice(0, slash)
  const path = slash < 0 ? '' : rest.slice(slash)
  return TRUST_DOMAIN.test(trustDomain) && PATH.test(path) ? { trustDomain, path } : undefined
}
