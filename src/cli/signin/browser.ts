import { spawn } from 'node:child_process'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as client from 'openid-client'
import { OstiaryError } from '../../core/errors.ts'
import { failureOf, tokensOf, type Provider, type Tokens } from './provider.ts'

/** How long somebody may take to sign in, in milliseconds. */
const PATIENCE = 300_000

const PAGE =
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Ostiary</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181b}}</style></head><body>'

/**
 * Signs in with a browser on this machine (RFC 8252): code and PKCE, answered to a port of loopback that is open for this sign-in only.
 * Providers have to know `http://localhost` as a redirect URI, with any port.
 */
export async function byBrowser({ config, scopes }: Provider, port: number, say: (line: string) => void): Promise<Tokens> {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  const { server, origin } = await listen(port)
  try {
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: origin,
      scope: [...new Set(['openid', ...scopes])].join(' '),
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
    say(`open ${url.href} in a browser`)
    openBrowser(url.href)
    const { callback, response } = await answered(server, origin, state)
    try {
      const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }
      const tokens = tokensOf(await client.authorizationCodeGrant(config, callback, checks))
      tell(response, 200, 'You are signed in', 'Close this page and go on in the terminal.')
      return tokens
    } catch (error) {
      tell(response, 400, 'You are not signed in', 'The terminal says why.')
      throw error
    }
  } catch (error) {
    throw error instanceof OstiaryError ? error : new OstiaryError('cli/login-failed', { reason: failureOf(error) }, { cause: error })
  } finally {
    server.close()
    server.closeIdleConnections()
  }
}

function listen(port: number): Promise<{ readonly server: Server; readonly origin: string }> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new OstiaryError('cli/login-failed', { reason: `port ${port} can not be listened on: ${error.code ?? error.message}` })),
    )
    server.listen({ host: '127.0.0.1', port }, () =>
      resolve({ server, origin: `http://localhost:${(server.address() as AddressInfo).port}/` }),
    )
  })
}

/** The first request that carries the state of this sign-in. Whatever else comes to the port gets nothing. */
function answered(server: Server, origin: string, state: string): Promise<{ readonly callback: URL; readonly response: ServerResponse }> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new OstiaryError('cli/login-failed', { reason: `nobody signed in within ${PATIENCE / 60_000} minutes` })),
      PATIENCE,
    )
    server.on('request', (request, response) => {
      const { url = '' } = request
      const callback = url.startsWith('/?') && URL.canParse(url, origin) ? new URL(url, origin) : undefined
      if (request.method !== 'GET' || callback?.searchParams.get('state') !== state) {
        response.writeHead(404, { connection: 'close' }).end()
        return
      }
      clearTimeout(timer)
      resolve({ callback, response })
    })
  })
}

function tell(response: ServerResponse, status: number, title: string, text: string): void {
  const fields = {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    connection: 'close',
  }
  response.writeHead(status, fields).end(`${PAGE}<h1>${title}</h1><p>${text}</p></body></html>\n`)
}

/** Whether a browser that is opened here would be seen by whoever sits there. */
export function hasBrowser(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): boolean {
  if (env['SSH_CONNECTION'] !== undefined || env['CI'] !== undefined) return false
  return platform !== 'linux' || env['DISPLAY'] !== undefined || env['WAYLAND_DISPLAY'] !== undefined || env['BROWSER'] !== undefined
}

function openBrowser(url: string): void {
  const own = process.env['BROWSER']
  const [file, ...args] =
    own !== undefined && own !== ''
      ? [own]
      : process.platform === 'darwin'
        ? ['open']
        : process.platform === 'win32'
          ? ['rundll32', 'url.dll,FileProtocolHandler']
          : ['xdg-open']
  // Where there is none, the URL has been printed.
  const child = spawn(file, [...args, url], { stdio: 'ignore', detached: true })
  child.on('error', () => undefined)
  child.unref()
}
