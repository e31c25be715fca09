import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { rootCertificates } from 'node:tls'
import { EnvHttpProxyAgent, fetch as undiciFetch } from 'undici'
import type { Wiring } from '../config/schema.ts'
import { OstiaryError } from '../core/errors.ts'

/** Requests that the gateway makes for itself. */
export interface Outbound {
  readonly fetch: typeof fetch
  close(): Promise<void>
}

/** What is on this machine, and the metadata service of the one below, is reached directly, whatever the environment says. */
const DIRECT = 'localhost,127.0.0.1,::1,169.254.169.254'

/**
 * A `fetch` that goes through the configured proxy, or else the environment's (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), and trusts the
 * configured authorities besides the usual ones.
 * @throws OstiaryError `identity/outbound-ca`, `identity/outbound-proxy`
 */
export function openOutbound({ proxy, ca }: Wiring['outbound'], folder: string, env: NodeJS.ProcessEnv = process.env): Outbound {
  const tls = ca === undefined ? {} : { ca: [...rootCertificates, ...readAuthorities(resolve(folder, ca))] }
  const identity = env['IDENTITY_ENDPOINT'] ?? ''
  const direct = URL.canParse(identity) ? `${DIRECT},${new URL(identity).hostname}` : DIRECT
  const noProxy = `${env['no_proxy'] ?? env['NO_PROXY'] ?? ''},${direct}`
  let agent: EnvHttpProxyAgent
  try {
    agent = new EnvHttpProxyAgent({
      ...(proxy === undefined ? {} : { httpProxy: proxy, httpsProxy: proxy }),
      noProxy,
      connect: tls,
      requestTls: tls,
      proxyTls: tls,
      connections: 16,
    })
  } catch (error) {
    throw new OstiaryError('identity/outbound-proxy', { cause: (error as { code?: string }).code ?? 'it is not a URL' })
  }
  const request = (input: Parameters<typeof undiciFetch>[0], init?: Parameters<typeof undiciFetch>[1]) =>
    undiciFetch(input, { ...init, dispatcher: agent })
  return { fetch: request as unknown as typeof fetch, close: () => agent.destroy() }
}

/** The certificates of a PEM file. @throws OstiaryError `identity/outbound-ca` */
export function readAuthorities(file: string): readonly string[] {
  try {
    const blocks = readFileSync(file, 'latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
    if (blocks === null) throw new OstiaryError('identity/outbound-ca', { file, cause: 'no certificate in it' })
    return blocks.map((block) => new X509Certificate(block).toString())
  } catch (error) {
    if (error instanceof OstiaryError) throw error
    throw new OstiaryError('identity/outbound-ca', { file, cause: (error as { code?: string }).code ?? 'unknown' })
  }
}
