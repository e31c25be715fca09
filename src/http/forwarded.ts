import { BlockList, isIP, isIPv4 } from 'node:net'
import { UNKNOWN_IP } from '../core/decision.ts'
import type { CanonicalRequest } from './canonical.ts'

/** Peers whose forwarding fields are believed. */
export interface TrustedProxies {
  includes(address: string): boolean
}

/** Hops looked at from the right; more than so many proxies in a row is nobody's set-up. */
const MAX_HOPS = 32

/** `10.0.0.0/8` or a single address. */
export function parseCidr(text: string): { readonly address: string; readonly prefix: number } | undefined {
  const [address, bits, ...more] = text.split('/')
  const family = isIP(address!)
  if (family === 0 || more.length > 0 || address!.includes('%')) return undefined
  const longest = family === 4 ? 32 : 128
  if (bits === undefined) return { address: address!, prefix: longest }
  if (!/^[0-9]{1,3}$/.test(bits) || Number(bits) > longest) return undefined
  return { address: address!, prefix: Number(bits) }
}

export function trustedProxies(cidrs: readonly string[]): TrustedProxies {
  const list = new BlockList()
  for (const text of cidrs) {
    const cidr = parseCidr(text)
    if (cidr !== undefined) list.addSubnet(cidr.address, cidr.prefix, isIPv4(cidr.address) ? 'ipv4' : 'ipv6')
  }
  const none = cidrs.length === 0
  return { includes: (address) => !none && isIP(address) !== 0 && list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6') }
}

/** An address as text in one form: IPv4-mapped IPv6 as IPv4, no zone, lower case. Undefined for what is no address. */
export function plainAddress(text: string): string | undefined {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(text)
  const address = (mapped?.[1] ?? text).split('%')[0]!.toLowerCase()
  return isIP(address) === 0 ? undefined : address
}

export interface Caller {
  readonly ip: string
  /** Whether the caller's own connection was TLS. */
  readonly secure: boolean
  /** `X-Forwarded-For` to write: the caller and the trusted proxies after it. */
  readonly forwardedFor: string
}

/**
 * Who calls: the peer of the connection, or, where that is a trusted proxy, the rightmost address of `X-Forwarded-For` that
 * isn't one. What can't be parsed leaves it at the peer.
 */
export function callerOf(
  peer: string,
  secure: boolean,
  request: Pick<CanonicalRequest, 'forwardedFor' | 'forwardedProto'> | undefined,
  trusted: TrustedProxies,
): Caller {
  const direct = plainAddress(peer) ?? UNKNOWN_IP
  if (request === undefined || !trusted.includes(direct)) return { ip: direct, secure, forwardedFor: direct }
  const chain = [direct]
  let ip = direct
  const entries = request.forwardedFor.length === 0 ? [] : request.forwardedFor.join(',').split(',')
  for (let hop = 0; trusted.includes(ip) && entries.length > 0; hop++) {
    const address = hop < MAX_HOPS ? plainAddress(entries.pop()!.trim()) : undefined
    if (address === undefined) return { ip: direct, secure: schemeOf(secure, request), forwardedFor: direct }
    ip = address
    chain.unshift(address)
  }
  return { ip, secure: schemeOf(secure, request), forwardedFor: chain.join(', ') }
}

/** A trusted proxy's word on the scheme, if it is exactly one. */
function schemeOf(secure: boolean, request: Pick<CanonicalRequest, 'forwardedProto'>): boolean {
  if (request.forwardedProto.length !== 1) return secure
  const [scheme] = request.forwardedProto
  return scheme === 'https' ? true : scheme === 'http' ? false : secure
}
