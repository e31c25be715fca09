/** How proxies of a mesh tell this gateway of requests: Istio's own access logs, over OpenTelemetry's protocol. */
import { ATTRIBUTES_FOR_GATEWAY } from '../../envoy/attributes.ts'
import type { TargetDocument, TargetResult } from '../target.ts'
import type { Attachment, Documents } from './documents.ts'
import type { IstioTarget } from './schema.ts'

const nameOf = ({ provider }: IstioTarget): string => `${provider!.name}-logs`

/** What makes the proxies of a workload tell. A ztunnel, which sees no requests, has nothing to tell. */
export function telemetryOf(documents: Documents, attachment: Attachment, config: IstioTarget): TargetDocument {
  return documents.telemetry({ what: 'logs' }, attachment, { accessLogging: [{ providers: [{ name: nameOf(config) }] }] })
}

export function logProvider(config: IstioTarget): NonNullable<TargetResult['needs']>[number] {
  const { service, port } = config.provider!
  return {
    text: 'the mesh has to know whom to tell (`meshConfig`); until it does, nothing is told',
    document: {
      extensionProviders: [{ name: nameOf(config), envoyOtelAls: { service, port, logFormat: { labels: ATTRIBUTES_FOR_GATEWAY } } }],
    },
  }
}
