import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Agent, fetch as undiciFetch } from 'undici'
import { resolveSecret } from '../../secrets/references.ts'
import { readAuthorities, type Outbound } from '../outbound.ts'

/** How a cluster's own server is asked for its keys. */
export interface ClusterAccess {
  /** PEM file of its authorities. */
  readonly ca: string | undefined
  /** File with the token that it asks for. */
  readonly tokenFile: string | undefined
  /** The one origin that sees the token. */
  readonly origin: string
}

/**
 * A `fetch` that trusts the cluster's own authorities and no others, and shows the token to `origin` alone. Both files are read for each
 * request: kubelet rotates them. With `ca` no proxy is used: a cluster is asked directly.
 */
export function openCluster({ ca, tokenFile, origin }: ClusterAccess, folder: string, usual: typeof fetch): Outbound {
  let known: { readonly pem: string; readonly agent: Agent } | undefined
  const agentOf = (file: string): Agent => {
    const path = resolve(folder, file)
    const pem = readFileSync(path, 'latin1')
    if (known?.pem === pem) return known.agent
    const agent = new Agent({ connections: 4, connect: { ca: [...readAuthorities(path)] } })
    void known?.agent.destroy()
    known = { pem, agent }
    return agent
  }
  const request = async (input: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers)
    if (tokenFile !== undefined && new URL(input).origin === origin)
      headers.set('authorization', `Bearer ${resolveSecret({ file: tokenFile }, folder).reveal().trim()}`)
    if (ca === undefined) return usual(input, { ...init, headers })
    return undiciFetch(input, { ...(init as object), headers: [...headers], dispatcher: agentOf(ca) })
  }
  return { fetch: request as unknown as typeof fetch, close: () => known?.agent.destroy() ?? Promise.resolve() }
}
