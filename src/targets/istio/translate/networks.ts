/** Addresses and networks in the forms that Istio's control plane takes, which is Go's `netip`. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

export interface Cidr {
  readonly addressPrefix: string
  readonly prefixLen: number
}

/** @returns undefined for what is neither an address nor a network. Leading zeros and, in a network, zones aren't either. */
export function cidrOf(value: string): Cidr | undefined {
  const [address, bits, ...more] = value.split('/')
  if (address === undefined || more.length > 0 || address.includes('%') || isIP(address) === 0) return undefined
  const width = isIPv4(address) ? 32 : 128
  if (bits === undefined) return { addressPrefix: shortest(address), prefixLen: width }
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(bits) || Number(bits) > width) return undefined
  return { addressPrefix: shortest(address), prefixLen: Number(bits) }
}

export function isAddressOrNetwork(value: string): boolean {
  return cidrOf(value) !== undefined
}

/** The form of RFC 5952, in which Go prints an address. One that holds an address of version 4 keeps its dots. */
function shortest(address: string): string {
  if (!isIPv6(address)) return address
  const short = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short)
  if (mapped === null) return short
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)]
  return `::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/** Whether an address is inside. An address of another version isn't. */
export function isInside(address: string, { addressPrefix, prefixLen }: Cidr): boolean {
  const version = isIP(address)
  if (version === 0 || version !== isIP(addressPrefix)) return false
  const family = version === 4 ? 'ipv4' : 'ipv6'
  const networks = new BlockList()
  networks.addSubnet(addressPrefix, prefixLen, family)
  return networks.check(address, family)
}
