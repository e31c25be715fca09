import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'

type Callback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

const LOOPBACK: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

/** `dns.lookup`, except that `localhost` and the names below it are loopback (RFC 6761 §6.3), which the system's resolver may not know. */
export function loopbackLookup(hostname: string, options: LookupOptions, callback: Callback): void {
  const name = hostname.toLowerCase().replace(/\.$/, '')
  if (name !== 'localhost' && !name.endsWith('.localhost')) {
    lookup(hostname, options, callback as (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family: number) => void)
    return
  }
  if (options.all === true) process.nextTick(callback, null, LOOPBACK)
  else process.nextTick(callback, null, LOOPBACK[0]!.address, 4)
}
