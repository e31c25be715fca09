/** What is told of a request over OpenTelemetry: names of attributes, as its semantic conventions have them where they do, and what Envoy writes for each. */

import { OBSERVED, UNGRANTED } from './metadata.ts'

/** For whoever keeps logs: who called, and what became of it. No path, whose query may hold anything. */
export const ATTRIBUTES: Readonly<Record<string, string>> = {
  'http.request.method': '%REQ(:METHOD)%',
  'server.address': '%REQ(:AUTHORITY)%',
  'http.response.status_code': '%RESPONSE_CODE%',
  'ostiary.details': '%RESPONSE_CODE_DETAILS%',
  'ostiary.issuer': '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:iss)%',
  'ostiary.subject': '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%',
  'ostiary.peer': '%DOWNSTREAM_PEER_URI_SAN%',
  'ostiary.request': '%REQ(X-REQUEST-ID)%',
  'ostiary.observed': `%DYNAMIC_METADATA(${OBSERVED.filter}:${OBSERVED.key})%`,
  'ostiary.ungranted': `%DYNAMIC_METADATA(${OBSERVED.filter}:${UNGRANTED.key})%`,
}

/** For the gateway, told by proxies of Istio, which drops the query, and records a caller of Entra ID by tenant and object. */
export const ATTRIBUTES_FOR_GATEWAY: Readonly<Record<string, string>> = {
  ...ATTRIBUTES,
  'url.path': '%REQ(:PATH)%',
  'ostiary.tenant': '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:tid)%',
  'ostiary.object': '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:oid)%',
  'ostiary.observed': `%DYNAMIC_METADATA(${OBSERVED.filter}:istio_dry_run_deny_shadow_effective_policy_id)%`,
  'ostiary.ungranted': `%DYNAMIC_METADATA(${OBSERVED.filter}:istio_dry_run_allow_shadow_engine_result)%`,
}
