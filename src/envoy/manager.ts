/** Settings of an http connection manager by which a policy means what it says, and filters that speak with the gateway. */
import { FILTERS, HTTP, TYPE } from './filters.ts'
import { METADATA, OBSERVED, PARTS, UNGRANTED } from './metadata.ts'
import type { Json } from './rbac.ts'

/** One reading of every request: what can be refused is, and the rest is decided as it is forwarded. @param maxDuration In milliseconds */
export function oneReading(maxDuration: number): Json {
  return {
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: 'REJECT_REQUEST',
    stripAnyHostPort: true,
    stripTrailingHostDot: true,
    useRemoteAddress: true,
    skipXffAppend: false,
    commonHttpProtocolOptions: {
      headersWithUnderscoresAction: 'REJECT_REQUEST',
      idleTimeout: '300s',
      maxHeadersCount: 100,
      // Whoever is denied from now on doesn't go on for ever with what was begun before.
      maxStreamDuration: `${maxDuration / 1000}s`,
    },
    httpProtocolOptions: { acceptHttp10: false },
    requestHeadersTimeout: '15s',
    streamIdleTimeout: '300s',
  }
}

/** How the gateway is asked: with each field as it came, and when it doesn't answer, nothing passes. */
export function checksOf(cluster: string): Json {
  return {
    name: FILTERS.checks,
    typedConfig: {
      '@type': `${HTTP}.ext_authz.v3.ExtAuthz`,
      grpcService: { envoyGrpc: { clusterName: cluster }, timeout: '1s' },
      transportApiVersion: 'V3',
      failureModeAllow: false,
      statusOnError: { code: 503 },
      encodeRawHeaders: true,
    },
  }
}

/** Whoever shows no credential and is denied may come back with one (RFC 9110 §15.5.2). */
export const UNAUTHENTICATED: Json = {
  filter: {
    andFilter: {
      filters: [
        { statusCodeFilter: { comparison: { op: 'EQ', value: { defaultValue: 403, runtimeKey: 'ostiary.denied' } } } },
        { headerFilter: { header: { name: 'authorization', presentMatch: true, invertMatch: true } } },
      ],
    },
  },
  statusCode: 401,
  headersToAdd: [{ header: { key: 'www-authenticate', value: 'Bearer' } }],
}

/** Claims that name a caller: `tid` and `oid` do where they are there, else `sub`. */
const NAMING = ['iss', 'sub', 'tid', 'oid']

/** Tells the gateway of each request, with chosen claims. */
export function accessLogOf(name: string, cluster: string): Json {
  return {
    name: 'envoy.access_loggers.http_grpc',
    typedConfig: {
      '@type': `${TYPE}envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig`,
      commonConfig: {
        logName: name,
        transportApiVersion: 'V3',
        grpcService: { envoyGrpc: { clusterName: cluster } },
        // What names the caller, and nothing else of a token.
        customTags: [
          ...NAMING.map((claim) => tag(claim, METADATA, [PARTS.payload, claim])),
          // And what would have denied, were it not only observed.
          tag(OBSERVED.key, OBSERVED.filter, [OBSERVED.key]),
          tag(UNGRANTED.key, OBSERVED.filter, [UNGRANTED.key]),
        ],
      },
    },
  }
}

function tag(name: string, filter: string, path: readonly string[]): Json {
  return { tag: name, metadata: { kind: { request: {} }, metadataKey: { key: filter, path: path.map((key) => ({ key })) } } }
}
