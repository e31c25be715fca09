import { X509Certificate } from 'node:crypto'

/** Certificates between a leaf and its authority at most, and certificates looked at in all. */
const MAX_DEPTH = 8
const MAX_CHAIN = 10

/** What a client sent, leaf first; undefined where it isn't certificates, or too many. */
export function readChain(chain: readonly Uint8Array[]): readonly X509Certificate[] | undefined {
  if (chain.length === 0 || chain.length > MAX_CHAIN) return undefined
  try {
    return chain.map((der) => new X509Certificate(der))
  } catch {
    return undefined
  }
}

/**
 * The authority that a leaf leads to by signatures, over authorities that came with it; undefined if it leads to none. The rest of a
 * path's validity (RFC 5280 §6) is judged by OpenSSL in the handshake: this only tells which of several authorities it was.
 */
export function authorityOf(
  [leaf, ...rest]: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  now: number,
): X509Certificate | undefined {
  if (leaf === undefined || leaf.ca || !isInTime(leaf, now)) return undefined
  let reached: readonly X509Certificate[] = [leaf]
  const unused = new Set(rest.filter((one) => one.ca && isInTime(one, now)))
  for (let depth = 0; depth < MAX_DEPTH && reached.length > 0; depth++) {
    const found = authorities.find((one) => isInTime(one, now) && reached.some((below) => isIssued(below, one)))
    if (found !== undefined) return found
    const above = [...unused].filter((one) => reached.some((below) => isIssued(below, one)))
    for (const one of above) unused.delete(one)
    reached = above
  }
  return undefined
}

function isIssued(certificate: X509Certificate, by: X509Certificate): boolean {
  try {
    return certificate.checkIssued(by) && certificate.verify(by.publicKey)
  } catch {
    return false // a key of a kind that can't be verified with
  }
}

export function isInTime({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  return validFromDate.getTime() <= now && now < validToDate.getTime()
}
