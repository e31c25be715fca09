/** An address as its bytes: 4 or 16 of them. An IPv4-mapped IPv6 address is the IPv4 address. */
export type Address = readonly number[]

/** Reads an IPv4 or IPv6 address (RFC 4291 §2.2). Undefined for anything else, zones and leading zeros included. */
export function parseAddress(text: string): Address | undefined {
  return text.length > 45 ? undefined : text.includes(':') ? parseV6(text) : parseV4(text)
}

function parseV4(text: string): Address | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)) return undefined
  return parts.map(Number)
}

function parseV6(text: string): Address | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const groups = halves.map(groupsOf)
  const [head, tail] = groups
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  const given = head.length + (tail?.length ?? 0)
  if (halves.length === 1 ? given !== 16 : given > 14) return undefined
  // Only the last group of all may be dotted.
  if (halves.length === 2 && halves[0]!.includes('.')) return undefined
  const bytes = [...head, ...Array.from({ length: 16 - given }, () => 0), ...(tail ?? [])]
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  return mapped ? bytes.slice(12) : bytes
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    const dotted = part.includes('.') && i === parts.length - 1 ? parseV4(part) : undefined
    if (dotted !== undefined) bytes.push(...dotted)
    else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) bytes.push(Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 0xff)
    else return undefined
  }
  return bytes
}

export interface Network {
  readonly address: Address
  /** Bits of the address that count. */
  readonly prefix: number
}

/** Reads `10.0.0.0/8` or `2001:db8::/32`. Bits after the prefix must be zero: what is meant is then what is written. */
export function parseNetwork(text: string): Network | undefined {
  const match = /^([0-9A-Fa-f:.]{1,45})\/(0|[1-9][0-9]{0,2})$/.exec(text)
  const address = match === null ? undefined : parseAddress(match[1]!)
  if (match === null || address === undefined) return undefined
  // A mapped network is written with the length of its IPv6 form.
  const prefix = Number(match[2]) - (match[1]!.includes(':') && address.length === 4 ? 96 : 0)
  if (prefix < 0 || prefix > address.length * 8) return undefined
  const rest = address.every((byte, i) => (byte & ~maskOf(prefix, i)) === 0)
  return rest ? { address, prefix } : undefined
}

function maskOf(prefix: number, index: number): number {
  const bits = Math.min(8, Math.max(0, prefix - index * 8))
  return (0xff << (8 - bits)) & 0xff
}

/** Whether the address lies in the network. An address of the other family doesn't. */
export function contains({ address, prefix }: Network, one: Address): boolean {
  return address.length === one.length && address.every((byte, i) => (byte & maskOf(prefix, i)) === (one[i]! & maskOf(prefix, i)))
}
