/** The gRPC that Envoys ask by (`envoy.service.auth.v3`) and tell by (`envoy.service.accesslog.v3`, and logs of OTLP): who asks, how much of it at a time, and for how long. It knows no policy. */
import { create } from '@bufbuild/protobuf'
import {
  Server,
  ServerCredentials,
  status,
  type handleClientStreamingCall,
  type handleUnaryCall,
  type ServerUnaryCall,
} from '@grpc/grpc-js'
import type { Clock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { definitionOf } from '../../envoy/grpc.ts'
import { Authorization, type CheckRequest, type CheckResponse } from '../../envoy/messages/envoy/service/auth/v3/external_auth_pb.ts'
import {
  AccessLogService,
  StreamAccessLogsResponseSchema,
  type StreamAccessLogsMessage,
  type StreamAccessLogsResponse,
} from '../../envoy/messages/envoy/service/accesslog/v3/als_pb.ts'
import {
  ExportLogsServiceResponseSchema,
  LogsService,
  type ExportLogsServiceRequest,
  type ExportLogsServiceResponse,
} from '../../envoy/messages/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts'
import { MutualTls, type TlsMaterial } from '../../envoy/xds/credentials.ts'
import { peerOf } from '../../envoy/xds/peer.ts'
import { StreamRefusal, type RefusalCode } from '../../envoy/xds/refusal.ts'

/** How Envoys prove who they are: by the certificates by which they are fed, or on loopback not at all. */
export type ChecksTrust = { readonly tls: TlsMaterial; nodeOf(identity: string): string | undefined } | { readonly loopback: true }

/** Bounds of the checks. What is beyond one is refused, and the request with it. */
export interface CheckLimits {
  /** Bytes of a question. Envoy takes 60 KiB of fields by default. */
  readonly requestBytes: number
  /** Questions under way at a time. */
  readonly concurrent: number
  /** Questions of one connection at a time; an Envoy has one or two. */
  readonly perConnection: number
  /** How long an answer may take, in milliseconds: as long as Envoy waits for it. */
  readonly answerMs: number
  /** How long answers have to go out when the server stops, in milliseconds. */
  readonly drainMs: number
}

export const DEFAULT_CHECK_LIMITS: CheckLimits = {
  requestBytes: 256 * 1024,
  concurrent: 4_096,
  perConnection: 2_048,
  answerMs: 1_000,
  drainMs: 1_000,
}

export interface Asked {
  readonly request: CheckRequest
  /** Whose connection it is; undefined on loopback. */
  readonly node: string | undefined
  /** Whether nobody waits for the answer any more. */
  readonly isGone: () => boolean
}

export interface WireParts {
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  readonly trust: ChecksTrust
  readonly limits: CheckLimits
  readonly clock: Clock
  /** Where address and port are configured. */
  readonly where: string
  /** Never rejects. */
  readonly answer: (asked: Asked) => Promise<CheckResponse>
  /** Takes what an Envoy tells of the requests that it answered. */
  readonly told: (node: string, message: StreamAccessLogsMessage) => void
  /** Takes what is told of requests over OTLP; `node` is undefined on loopback. Answers how many log records there was no room for. */
  readonly toldOtlp: (node: string | undefined, request: ExportLogsServiceRequest) => number
}

export interface Wire {
  readonly server: Server
  /** @throws OstiaryError `server/listen` */
  listen(): Promise<number>
  /** Takes new keys, certificates and authorities: whoever is connected connects anew. */
  renew(tls: TlsMaterial): void
  close(): Promise<void>
}

/** @throws OstiaryError `xds/loopback` if Envoys wouldn't have to prove who they are on an address that others reach */
export function createWire({ host, port, trust, limits, clock, where, answer, told, toldOtlp }: WireParts): Wire {
  if ('loopback' in trust && !/^(127\.\d+\.\d+\.\d+|::1)$/.test(host)) throw new OstiaryError('xds/loopback', { host })
  const server = new Server({
    'grpc.max_receive_message_length': limits.requestBytes,
    'grpc.max_concurrent_streams': limits.perConnection,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
  })
  const check: handleUnaryCall<CheckRequest, CheckResponse | Uint8Array> = (call, callback) => {
    // An error is a refusal too: the filter is told not to let anything through when it has no answer.
    const refuse = (code: RefusalCode, details: string): void => callback({ code: status[code], details })
    try {
      const node = whoAsks(call, trust, clock)
      let isGone = false
      call.on('cancelled', () => (isGone = true))
      const asked = { request: call.request, node, isGone: () => isGone }
      void (async () => {
        try {
          callback(null, await answer(asked))
        } catch {
          refuse('INTERNAL', 'a fault of the server')
        }
      })()
    } catch (error) {
      if (error instanceof StreamRefusal) refuse(error.code, error.message)
      else refuse('INTERNAL', 'a fault of the server')
    }
  }
  const streams = new Set<() => void>()
  const streamAccessLogs: handleClientStreamingCall<StreamAccessLogsMessage, StreamAccessLogsResponse | Uint8Array> = (call, callback) => {
    const refuse = (error: unknown): void => {
      const [code, details] = error instanceof StreamRefusal ? [error.code, error.message] : ['INTERNAL' as const, 'a fault of the server']
      callback({ code: status[code], details })
    }
    const end = (): void => {
      if (streams.delete(end)) callback(null, create(StreamAccessLogsResponseSchema))
    }
    try {
      let node = whoAsks(call, trust, clock)
      streams.add(end)
      call.on('data', (message: StreamAccessLogsMessage) => {
        try {
          // Only the first message says whose they are, which counts where nothing proves it.
          node ??= message.identifier?.node?.id ?? ''
          told(node, message)
        } catch {
          end()
        }
      })
      call.on('end', end)
      call.on('error', () => streams.delete(end))
      call.on('cancelled', () => streams.delete(end))
    } catch (error) {
      refuse(error)
    }
  }
  const exported: handleUnaryCall<ExportLogsServiceRequest, ExportLogsServiceResponse | Uint8Array> = (call, callback) => {
    try {
      const rejected = toldOtlp(whoAsks(call, trust, clock), call.request)
      const partialSuccess = { rejectedLogRecords: BigInt(rejected), errorMessage: 'more came than could be recorded' }
      callback(null, create(ExportLogsServiceResponseSchema, rejected === 0 ? {} : { partialSuccess }))
    } catch (error) {
      const [code, details] = error instanceof StreamRefusal ? [error.code, error.message] : ['INTERNAL' as const, 'a fault of the server']
      callback({ code: status[code], details })
    }
  }
  server.addService(definitionOf(Authorization), { check })
  server.addService(definitionOf(AccessLogService), { streamAccessLogs })
  server.addService(definitionOf(LogsService), { export: exported })
  const credentials = 'tls' in trust ? new MutualTls(trust.tls) : ServerCredentials.createInsecure()
  const hostname = host.includes(':') ? `[${host}]` : host
  let bound: string | undefined
  return {
    server,
    listen: () =>
      new Promise((resolve, reject) => {
        const address = `${hostname}:${port}`
        server.bindAsync(address, credentials, (error, found) => {
          if (error === null) {
            bound = `${hostname}:${found}`
            resolve(found)
          } else reject(new OstiaryError('server/listen', { address, what: 'checks', cause: error.message, where }, { cause: error }))
        })
      }),
    renew(tls) {
      if (!(credentials instanceof MutualTls)) return
      credentials.renew(tls)
      if (bound !== undefined) server.drain(bound, limits.drainMs)
    },
    async close() {
      const down = new Promise<void>((resolve) => {
        server.tryShutdown(() => resolve())
      })
      // These have no end of their own.
      for (const end of streams) end()
      const force = clock.after(limits.drainMs, () => server.forceShutdown())
      await down
      force.cancel()
    },
  }
}

/** @throws StreamRefusal for whoever is no Envoy of ours */
function whoAsks(call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext'>, trust: ChecksTrust, clock: Clock): string | undefined {
  if ('loopback' in trust) return undefined
  const { identity } = peerOf(call.getAuthContext(), clock.now())
  const node = trust.nodeOf(identity)
  if (node === undefined) throw new StreamRefusal('PERMISSION_DENIED', 'the client certificate is of no Envoy that is fed from here')
  return node
}
