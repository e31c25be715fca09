import { readFileSync, statSync } from 'node:fs'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { resolve } from 'node:path'
import { constants } from 'node:crypto'
import { createSecureContext, type SecureContext, type TlsOptions, type TLSSocket } from 'node:tls'
import type { Clock, Timer } from '../core/clock.ts'
import { OstiaryError } from '../core/errors.ts'
import type { Meter } from '../core/meter.ts'
import type { BoundAddress, UpgradeProtocol } from './engine.ts'
import { plainAddress, type TrustedProxies } from './forwarded.ts'
import { h1Options } from './h1.ts'
import type { ListeningConfig, HttpLimits } from './schema.ts'

type ListenerConfig = ListeningConfig['listen'][number]
type TlsFiles = { readonly cert: string; readonly key: string }

/** The listener's own certificate, and what clients' are judged by. */
interface Own {
  readonly cert: string
  readonly key: string
  readonly ca?: string
  readonly crl?: string
}

/** How often certificate files are looked at, in milliseconds. */
const RELOAD_MS = 10_000

export interface ListenerParts {
  /** Where relative file names start. */
  readonly folder: string
  readonly limits: HttpLimits
  readonly upgrades: ReadonlySet<UpgradeProtocol>
  readonly trusted: TrustedProxies
  readonly clock: Clock
  readonly meter: Meter
  readonly log: (message: string) => void
  readonly serve: (server: Server) => void
  readonly takeH2: (socket: TLSSocket) => void
}

/** One address that is listened on. */
export interface Listener {
  readonly server: Server
  readonly sockets: ReadonlySet<Socket>
  listen(): Promise<BoundAddress>
  stop(): void
}

export function createListener(config: ListenerConfig, parts: ListenerParts): Listener {
  const { limits, meter, upgrades } = parts
  const { tls } = config
  const certificates = tls === undefined ? undefined : new Certificates(tls, parts)
  const server = certificates === undefined ? createHttpServer(h1Options(limits, upgrades)) : httpsServer(certificates, parts)
  const sockets = new Set<Socket>()
  const perAddress = new Map<string, number>()
  server.maxConnections = limits.connections
  server.on('drop', () => meter.count('http_limit', { limit: 'connections' }))
  server.prependListener('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? '') ?? ''
    const open = (perAddress.get(address) ?? 0) + 1
    if (open > limits.connectionsPerAddress && !parts.trusted.includes(address)) {
      meter.count('http_limit', { limit: 'connectionsPerAddress' })
      socket.destroy()
      return
    }
    perAddress.set(address, open)
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      const left = (perAddress.get(address) ?? 1) - 1
      if (left === 0) perAddress.delete(address)
      else perAddress.set(address, left)
    })
  })
  parts.serve(server)
  return {
    server,
    sockets,
    listen: () => listenOn(server, config.address, certificates !== undefined),
    stop: () => {
      certificates?.stop()
      server.close()
    },
  }
}

function listenOn(server: Server, { host, port }: ListenerConfig['address'], secure: boolean): Promise<BoundAddress> {
  return new Promise((fulfil, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
      reject(new OstiaryError('http/listen', { address, cause: error.code ?? 'unknown' }, { cause: error }))
    }
    server.once('error', failed)
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', failed)
      server.on('error', () => undefined)
      fulfil({ host, port: (server.address() as AddressInfo).port, secure })
    })
  })
}

/** One TLS listener for both versions: the one that was agreed by ALPN takes the connection. */
function httpsServer(certificates: Certificates, { limits, meter, upgrades, takeH2 }: ListenerParts): HttpsServer {
  const server = createHttpsServer({
    ...h1Options(limits, upgrades),
    ALPNProtocols: ['h2', 'http/1.1'],
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.headTimeout,
    ...certificates.current(),
    ...clientOptions(certificates.asks),
    // Anything thrown in here would end the process, so it is left to the callback's error.
    SNICallback: (name, done) => done(null, certificates.contextFor(name)),
  })
  certificates.onChange = () => server.setSecureContext(certificates.current())
  const [takeH1] = server.listeners('secureConnection') as ((socket: TLSSocket) => void)[]
  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') takeH2(socket)
    else takeH1!.call(server, socket)
  })
  server.on('tlsClientError', (_error, socket) => {
    meter.count('http_connection_errors', { version: 'tls' })
    socket.destroy()
  })
  return server
}

/** Who brings no certificate, or one that no authority here vouches for, may have a token all the same, unless one is required. */
function clientOptions(asks: 'never' | 'optional' | 'required'): TlsOptions {
  if (asks === 'never') return {}
  // A resumed session would keep the certificate, and what was thought of it, past their end.
  return { requestCert: true, rejectUnauthorized: asks === 'required', secureOptions: constants.SSL_OP_NO_TICKET }
}

/** Certificates of a listener, read again when a file changes. What can't be used leaves the ones in use in place. */
class Certificates {
  onChange: () => void = () => undefined
  readonly #config: NonNullable<ListenerConfig['tls']>
  readonly #parts: ListenerParts
  #own: Own
  #named: ReadonlyMap<string, SecureContext>
  #stamp: string
  #timer: Timer

  constructor(config: NonNullable<ListenerConfig['tls']>, parts: ListenerParts) {
    this.#config = config
    this.#parts = parts
    this.#stamp = this.#look()
    ;[this.#own, this.#named] = this.#read()
    this.#timer = parts.clock.after(RELOAD_MS, () => this.#check())
  }

  get asks(): 'never' | 'optional' | 'required' {
    const { clientCertificates } = this.#config
    return clientCertificates === undefined ? 'never' : clientCertificates.required ? 'required' : 'optional'
  }

  current(): Own {
    return this.#own
  }

  /** Undefined stands for the listener's own certificate. */
  contextFor(name: string): SecureContext | undefined {
    return this.#named.get(name.toLowerCase())
  }

  stop(): void {
    this.#timer.cancel()
  }

  #check(): void {
    this.#timer = this.#parts.clock.after(RELOAD_MS, () => this.#check())
    const stamp = this.#look()
    if (stamp === this.#stamp) return
    this.#stamp = stamp
    try {
      ;[this.#own, this.#named] = this.#read()
      this.onChange()
      this.#parts.log('certificates were read again')
    } catch (error) {
      this.#parts.meter.count('http_certificate_errors')
      this.#parts.log(`certificates stay as they are: ${(error as Error).message}`)
    }
  }

  #all(): readonly TlsFiles[] {
    return [this.#config, ...Object.values(this.#config.names)]
  }

  /** Times and sizes of all files, as one text that differs when one of them has changed. */
  #look(): string {
    const { clientCertificates } = this.#config
    return [...this.#all().flatMap(({ cert, key }) => [cert, key]), clientCertificates?.ca ?? '', clientCertificates?.crl ?? '']
      .filter((file) => file !== '')
      .map((file) => {
        const stat = statSync(resolve(this.#parts.folder, file), { throwIfNoEntry: false })
        return stat === undefined ? '-' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`
      })
      .join(',')
  }

  #read(): [Own, ReadonlyMap<string, SecureContext>] {
    const clients = this.#clients()
    const pairs = this.#all().map((files) => this.#pair(files, clients))
    const contexts = pairs.map(({ context }) => context)
    const names = Object.keys(this.#config.names).map((name) => name.toLowerCase())
    const { cert, key } = pairs[0]!
    return [{ cert, key, ...clients }, new Map(names.map((name, i) => [name, contexts[i + 1]!]))]
  }

  /** What clients' certificates are judged by; the same whatever name they ask for. */
  #clients(): { readonly ca?: string; readonly crl?: string } {
    const { clientCertificates: config } = this.#config
    if (config === undefined) return {}
    const ca = this.#text(config.ca)
    return config.crl === undefined ? { ca } : { ca, crl: this.#text(config.crl) }
  }

  #text(file: string): string {
    try {
      return readFileSync(resolve(this.#parts.folder, file), 'utf8')
    } catch (error) {
      throw new OstiaryError('http/certificate', { file, cause: (error as NodeJS.ErrnoException).code ?? 'unreadable' }, { cause: error })
    }
  }

  #pair(
    files: TlsFiles,
    clients: { readonly ca?: string; readonly crl?: string },
  ): { readonly cert: string; readonly key: string; readonly context: SecureContext } {
    let file = files.cert
    try {
      const cert = readFileSync(resolve(this.#parts.folder, files.cert), 'utf8')
      file = files.key
      const key = readFileSync(resolve(this.#parts.folder, files.key), 'utf8')
      return { cert, key, context: createSecureContext({ cert, key, ...clients, minVersion: 'TLSv1.2' }) }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw new OstiaryError('http/certificate', { file, cause: code ?? 'not a usable certificate or key' }, { cause: error })
    }
  }
}
