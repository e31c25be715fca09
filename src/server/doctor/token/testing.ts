/** What the tests of this folder share: a configuration in a folder, and a stand-in for the documents of Entra ID's own hosts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { systemClock } from '../../../core/clock.ts'
import { API, CLIENT, TENANT, testKey, type JsonObject } from '../../../testing/tokens.ts'
import { examineToken, type TokenReport } from './token.ts'

export const AUTHORITY = 'https://login.microsoftonline.com'
export const V1 = `https://sts.windows.net/${TENANT}/`
export const key = testKey('tenant-key')
/** Published with `?appid=` only. */
export const ownKey = testKey('key-of-one-application')

/** Metadata and keys of one tenant, at the URLs that Microsoft has them; all else is not there. */
export function standinEntra(asked: string[] = []): typeof fetch {
  const answer = (body: object): Response => new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } })
  return (input) => {
    const url = new URL(input as string)
    asked.push(url.href)
    const own = url.searchParams.has('appid')
    const query = own ? url.search : ''
    const base = `${AUTHORITY}/${TENANT}`
    const known: Readonly<Record<string, object>> = {
      [`${base}/v2.0/.well-known/openid-configuration`]: {
        issuer: `${base}/v2.0`,
        jwks_uri: `${base}/discovery/v2.0/keys${query}`,
        authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
        token_endpoint: `${base}/oauth2/v2.0/token`,
      },
      [`${base}/.well-known/openid-configuration`]: { issuer: V1, jwks_uri: `${base}/discovery/keys` },
      [`${base}/discovery/v2.0/keys`]: { keys: own ? [key.jwk, ownKey.jwk] : [key.jwk] },
      [`${base}/discovery/keys`]: { keys: [key.jwk] },
      'https://sts.windows.net/.well-known/openid-configuration': {
        issuer: 'https://sts.windows.net',
        jwks_uri: 'https://sts.windows.net/keys',
      },
    }
    const found = known[url.origin + url.pathname]
    return Promise.resolve(found === undefined ? new Response('{}', { status: 404 }) : answer(found))
  }
}

export const ENTRA: JsonObject = { kind: 'entra', tenants: [TENANT], audiences: [API], signIn: { clientId: CLIENT } }

export const ORDERS: JsonObject = {
  protocol: 'http',
  hosts: ['orders.example.com'],
  publicUrl: 'https://orders.example.com',
  upstream: { url: 'http://127.0.0.1:1' },
  signIn: 'entra',
}

export interface Asked {
  readonly issuers?: JsonObject
  readonly resource?: JsonObject
  readonly policy?: JsonObject
  readonly issuer?: string
  readonly fetch?: typeof fetch
}

const POLICY: JsonObject = {
  apiVersion: 'ostiary.dev/v1',
  roles: {
    reader: { bind: [{ issuer: 'entra', claim: 'roles', any: ['Orders.Read'] }] },
    exporter: { bind: [{ issuer: 'entra', claim: 'groups', any: ['0571a27e-0003-4000-8000-000000000001'] }] },
    admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
  },
  rules: [
    { id: 'read', role: 'reader', resource: 'orders', actions: ['GET /**'] },
    { id: 'export', role: 'exporter', resource: 'orders', actions: ['GET /export'] },
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
  ],
}

/** Asks the doctor, with a configuration around an issuer of Entra ID. */
export async function explained(input: string, asked: Asked = {}): Promise<TokenReport> {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-token-'))
  try {
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      issuers: asked.issuers ?? { entra: ENTRA },
      resources: { orders: { ...ORDERS, ...asked.resource } },
      doors: {},
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring, { aliasDuplicateObjects: false }))
    mkdirSync(join(folder, 'policy'))
    writeFileSync(join(folder, 'policy', 'orders.yaml'), stringify(asked.policy ?? POLICY))
    return await examineToken(input, { folder, clock: systemClock, issuer: asked.issuer, fetch: asked.fetch ?? standinEntra() })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What the doctor found, in one line: outcome, reason, and the diagnosis. */
export async function told(input: string, asked: Asked = {}): Promise<string> {
  const report = await explained(input, asked)
  if (report.outcome === 'nothing' || report.outcome === 'good') return report.outcome
  const { cause, found, wanted, where, change } = report.diagnosis
  const reason = report.outcome === 'error' ? report.codes.join(' ') : report.reason
  return `${report.outcome} ${reason} | ${cause} | ${found ?? ''} | ${wanted ?? ''} | ${where}: ${change}`
}
