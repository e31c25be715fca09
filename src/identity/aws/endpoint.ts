import { isIP } from 'node:net'
import { Agent, buildConnector, fetch as undiciFetch } from 'undici'
import type { Outbound } from '../outbound.ts'

/**
 * A `fetch` whose every connection ends at `endpoint`, whatever host is asked: the host is signed, so the request must name it even
 * where STS is reached at another address. Over TLS the certificate is the endpoint's. No proxy is used.
 */
export function openEndpoint(endpoint: string): Outbound {
  const { protocol, hostname, port } = new URL(endpoint)
  const name = hostname.replaceAll(/^\[|\]$/g, '')
  const connector = buildConnector({})
  const agent = new Agent({
    connections: 16,
    connect: (options, callback) =>
      connector(
        { ...options, hostname: name, host: name, servername: isIP(name) === 0 ? name : '', port: port === '' ? portOf(protocol) : port },
        callback,
      ),
  })
  const request = (input: string, init?: Parameters<typeof undiciFetch>[1]) => {
    const url = new URL(input)
    url.protocol = protocol
    return undiciFetch(url, { ...init, dispatcher: agent })
  }
  return { fetch: request as unknown as typeof fetch, close: () => agent.destroy() }
}

function portOf(protocol: string): string {
  return protocol === 'https:' ? '443' : '80'
}
