/** What proxies, or a collector between them and the gateway, tell of requests over OpenTelemetry's protocol (OTLP 1.x, logs over gRPC). */
import type { AnyValue, KeyValue, ResourceLogs } from '../../envoy/messages/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts'
import { UNGRANTED } from '../../envoy/metadata.ts'
import type { ToldRequest } from './accesslog.ts'

/** Which resource a host is of, where it is of one. */
export type ResourceOfHost = (host: string) => string | undefined

/**
 * Each log record with our attributes (`envoy/attributes.ts`) is a request; all others are somebody else's.
 * @param node Who proved that it tells; undefined on loopback, where what it calls itself counts
 * @param isObserved Whether a resource is, or was, only observed
 */
export function requestsIn(
  node: string | undefined,
  all: readonly ResourceLogs[],
  resourceOf: ResourceOfHost,
  isObserved: (resource: string) => boolean,
): readonly ToldRequest[] {
  return all.flatMap(({ resource: teller, scopeLogs }) => {
    const told = node ?? textsOf(teller?.attributes ?? []).get('node_name') ?? ''
    return scopeLogs.flatMap(({ logRecords }) =>
      logRecords.flatMap(({ timeUnixNano, attributes }) => {
        const texts = textsOf(attributes)
        const text = (name: string): string => texts.get(name) ?? ''
        if (!texts.has('http.request.method') || !texts.has('http.response.status_code')) return []
        const status = Number(text('http.response.status_code'))
        const resource = resourceOf(text('server.address'))
        return [
          {
            node: told,
            resource,
            status: Number.isInteger(status) && status >= 0 && status < 1000 ? status : 0,
            method: text('http.request.method'),
            path: text('url.path'),
            details: text('ostiary.details'),
            observed: text('ostiary.observed'),
            // Where several resources share a proxy of Istio, it says so of those that are enforced, too.
            ungranted: text('ostiary.ungranted') === UNGRANTED.value && resource !== undefined && isObserved(resource),
            issuer: text('ostiary.issuer'),
            subject: text('ostiary.subject'),
            tenant: text('ostiary.tenant'),
            object: text('ostiary.object'),
            request: text('ostiary.request'),
            time: timeUnixNano === 0n ? undefined : Number(timeUnixNano / 1_000_000n),
          },
        ]
      }),
    )
  })
}

/** Of two with one name, the first. Envoy writes `-` for what is not there. */
function textsOf(attributes: readonly KeyValue[]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const { key, value } of attributes) {
    const text = textOf(value)
    if (text !== undefined && !texts.has(key)) texts.set(key, text === '-' ? '' : text)
  }
  return texts
}

function textOf(value: AnyValue | undefined): string | undefined {
  switch (value?.value.case) {
    case 'stringValue':
      return value.value.value
    case 'intValue':
    case 'doubleValue':
    case 'boolValue':
      return String(value.value.value)
    default:
      return undefined
  }
}
