/** The engine on Node's own servers and undici: listeners, connections, life and death. It knows no policy. */
import type { Clock, Entropy, Timer } from '../core/clock.ts'
import type { Meter } from '../core/meter.ts'
import { Roster } from '../core/roster.ts'
import type { Engine, Gate } from './engine.ts'
import type { ExchangeParts, Running } from './exchange.ts'
import type { TrustedProxies } from './forwarded.ts'
import { serveH1 } from './h1.ts'
import { serveH2 } from './h2.ts'
import { createListener } from './listeners.ts'
import type { ListeningConfig } from './schema.ts'
import { Upstreams } from './upstream.ts'

export interface EngineParts {
  readonly config: ListeningConfig
  /** Where relative file names start. */
  readonly folder: string
  readonly gate: Gate
  readonly trusted: TrustedProxies
  readonly clock: Clock
  readonly entropy: Entropy
  readonly meter: Meter
  readonly log: (message: string) => void
}

/** How often exchanges that last too long are looked for, and a drain looks whether it is over, in milliseconds. */
const SWEEP_MS = 1000
const DRAIN_LOOK_MS = 50

/** @throws OstiaryError `http/certificate` */
export function createNodeEngine(parts: EngineParts): Engine {
  const { config, gate, clock, entropy, meter } = parts
  const { limits } = config
  const upstreams = new Upstreams(clock)
  const running = new Roster<Running>()
  const exchange: ExchangeParts = { upstreams, clock, running }
  const upgrade = { clock, entropy, running }
  let draining = false
  let sweep: Timer | undefined

  const h2 = serveH2({ gate, exchange, upgrade, limits, clock, meter })
  const listeners = config.listen.map((listener) =>
    createListener(listener, {
      ...parts,
      limits,
      upgrades: gate.upgrades,
      serve: (server) => serveH1(server, { gate, exchange, upgrade, limits, clock, meter, draining: () => draining }),
      takeH2: (socket) => h2.take(socket),
    }),
  )

  const sweepOnce = (): void => {
    sweep = clock.after(SWEEP_MS, sweepOnce)
    const now = clock.monotonic()
    for (const one of running) {
      if (one.endsAt > now) continue
      meter.count('http_limit', { limit: 'maxDuration' })
      one.end('timed-out')
    }
  }

  const stopAccepting = (): void => {
    draining = true
    sweep?.cancel()
    for (const listener of listeners) {
      listener.stop()
      listener.server.closeIdleConnections()
    }
    for (const session of h2.sessions) session.close()
  }

  const close = async (): Promise<void> => {
    stopAccepting()
    for (const one of running) one.end('shut-down')
    for (const session of h2.sessions) session.destroy()
    for (const { sockets } of listeners) for (const socket of sockets) socket.destroy()
    await upstreams.close()
  }

  const engine: Engine = {
    async listen() {
      sweep = clock.after(SWEEP_MS, sweepOnce)
      return Promise.all(listeners.map((listener) => listener.listen()))
    },
    keep: (targets) => upstreams.keep(targets),
    async drain(deadline) {
      stopAccepting()
      // A WebSocket can last for hours; its other end knows how to come back.
      for (const one of running) if (one.stream) one.end('shut-down')
      const end = clock.monotonic() + deadline
      while (running.size > 0 && clock.monotonic() < end) {
        await new Promise<void>((resume) => void clock.after(DRAIN_LOOK_MS, resume))
        for (const { server } of listeners) server.closeIdleConnections()
      }
      for (const one of running) one.end('shut-down')
      await new Promise<void>((resume) => setImmediate(resume))
      await close()
    },
    close,
    get open() {
      return { connections: listeners.reduce((sum, { sockets }) => sum + sockets.size, 0), exchanges: running.size }
    },
  }
  return engine
}
