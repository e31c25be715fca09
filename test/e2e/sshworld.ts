/** A whole gateway that takes certificates of OpenSSH, with an upstream that says whom it was called by. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { startGateway, type Gateway } from '../../src/server/start.ts'

export const AUDIENCE = 'orders.example.com'

export interface SshAnswer {
  readonly status: number
  readonly body: string
}

export interface SshWorld {
  readonly folder: string
  readonly gateway: Gateway
  /** Origin of the admin API. */
  readonly admin: string
  readonly wiring: Readonly<Record<string, unknown>>
  ask(token: string, path?: string, method?: string): Promise<SshAnswer>
  /** Stops the gateway. @returns All that it kept and logged. */
  stopped(): Promise<string>
  close(): Promise<void>
}

/** @param authorities Lines of public keys. @param issuer Changes to the issuer's configuration. */
export async function openSshWorld(authorities: string, issuer: Readonly<Record<string, unknown>> = {}): Promise<SshWorld> {
  const upstream = createServer((incoming, response) =>
    response.end(
      JSON.stringify([incoming.headers['ostiary-subject'], incoming.headers['ostiary-roles'], incoming.headers.authorization ?? null]),
    ),
  )
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-ssh-e2e-'))
  const wiring = {
    apiVersion: 'ostiary.dev/v1',
    name: 'e2e',
    issuers: { people: { kind: 'ssh', audiences: [AUDIENCE], authorities: 'authorities.pub', subject: 'keyId', ...issuer } },
    resources: {
      orders: {
        protocol: 'http',
        hosts: ['orders.localhost'],
        record: 'strict',
        upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` },
      },
    },
    doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
    admin: { listen: '127.0.0.1:0' },
  }
  const policy = {
    apiVersion: 'ostiary.dev/v1',
    roles: {
      reader: { bind: [{ issuer: 'people', claim: 'principals', any: ['reader'], kind: 'human' }] },
      admin: { bind: [{ issuer: 'people', claim: 'principals', any: ['admin'] }] },
    },
    rules: [
      { id: 'read', role: 'reader', resource: 'orders', actions: ['GET /orders/{id}'] },
      { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
    ],
  }
  mkdirSync(join(folder, 'policy'))
  writeFileSync(join(folder, 'authorities.pub'), authorities)
  writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
  writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy, { aliasDuplicateObjects: false }))
  const lines: string[] = []
  const gateway = await startGateway({ folder, watch: false, log: (line) => lines.push(line) })
  return {
    folder,
    gateway,
    admin: new URL(gateway.admin.url).origin,
    wiring,
    ask: (token, path = '/orders/7', method = 'GET') =>
      new Promise((resolve, reject) => {
        const headers = { host: 'orders.localhost', authorization: `Bearer ${token}` }
        const outgoing = request({ host: '127.0.0.1', port: gateway.doors[0]!.port, path, method, headers, agent: false }, (incoming) => {
          let body = ''
          incoming.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body }))
        })
        outgoing.on('error', reject).end()
      }),
    async stopped() {
      await gateway.stop(100)
      const files = readdirSync(join(folder, 'data'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      return [...files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1')), ...lines].join('\n')
    },
    async close() {
      await gateway.stop(100)
      upstream.closeAllConnections()
      await new Promise((resolve) => upstream.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
