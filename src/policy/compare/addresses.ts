/** Addresses cut into classes by the networks and texts that are named. */
import { contains, parseAddress, parseNetwork, type Address, type Network } from '../when/cidr.ts'

export interface AddressClass {
  /** An address of it. Empty for "none that can be read". */
  readonly text: string
  /** For people. */
  readonly said: string
}

const UNREAD: AddressClass = { text: '', said: 'is not known' }

/** Every way in which an address can lie in these networks and be one of these texts. */
export function addressClasses(networks: ReadonlySet<string>, texts: ReadonlySet<string>): readonly AddressClass[] {
  const parsed = [...networks].flatMap((text) => {
    const network = parseNetwork(text)
    return network === undefined ? [] : [{ text, network }]
  })
  const classes: AddressClass[] = [...texts].filter((text) => text !== '').map((text) => ({ text, said: `is ${text}` }))
  for (const { text, network } of distinct(parsed)) {
    const inner = parsed.map((one) => one.network).filter((one) => lies(one, network))
    const address = free(network, inner, texts)
    if (address !== undefined)
      classes.push({ text: address, said: inner.length === 0 ? `is in ${text}` : `is in ${text} and in no named network within it` })
  }
  for (const whole of ['0.0.0.0/0', '::/0']) {
    if (parsed.some(({ network }) => network.prefix === 0 && network.address.length === parseNetwork(whole)!.address.length)) continue
    const address = free(
      parseNetwork(whole)!,
      parsed.map(({ network }) => network),
      texts,
    )
    if (address !== undefined) {
      // No network tells the families apart beyond what they are in: one of them stands for both.
      return [...classes, UNREAD, { text: address, said: 'is in no named network' }]
    }
  }
  return [...classes, UNREAD]
}

function distinct(
  parsed: readonly { readonly text: string; readonly network: Network }[],
): readonly { readonly text: string; readonly network: Network }[] {
  return [...new Map(parsed.map((one) => [`${one.network.address.join('.')}/${one.network.prefix}`, one])).values()]
}

/** Whether `a` lies in `b` and is smaller. */
function lies(a: Network, b: Network): boolean {
  return a.prefix > b.prefix && contains(b, a.address)
}

function numberOf(address: Address): bigint {
  return address.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
}

/** Addresses for documentation (RFC 5737, RFC 3849). */
const USUAL = ['192.0.2.1', '2001:db8::1']

/** An address of a network that is in none of the others and isn't one of the texts. */
function free(network: Network, others: readonly Network[], texts: ReadonlySet<string>): string | undefined {
  const bits = network.address.length * 8
  const span = (one: Network): readonly [bigint, bigint] => {
    const first = numberOf(one.address)
    return [first, first + (1n << BigInt(bits - one.prefix)) - 1n]
  }
  const [first, last] = span(network)
  const usual = network.prefix === 0 ? USUAL.find((one) => parseAddress(one)!.length * 8 === bits) : textOf(first + 1n, bits)
  if (usual !== undefined && network.prefix < bits && !texts.has(usual) && !others.some((one) => contains(one, parseAddress(usual)!)))
    return usual
  const taken = others
    .filter((one) => one.address.length === network.address.length)
    .map(span)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  let at = first
  // The loop ends: each turn goes past a network or a text.
  for (;;) {
    const inside = taken.find(([from, to]) => from <= at && at <= to)
    if (inside !== undefined) at = inside[1] + 1n
    else if (at <= last && texts.has(textOf(at, bits))) at += 1n
    else break
  }
  return at > last ? undefined : textOf(at, bits)
}

function textOf(value: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(16 * (7 - i))) & 0xffffn).toString(16))
  return groups.join(':')
}

/** Whether an address lies in a network; undefined where the address can't be read. */
export function inNetwork(text: string, network: string): boolean | undefined {
  const address = parseAddress(text)
  const parsed = parseNetwork(network)
  return address === undefined || parsed === undefined ? undefined : contains(parsed, address)
}
