/**
 * Istio's own reading of its resources, made again from its published translation: resources out of YAML, the filters of Envoy that its
 * control plane makes of them, and what these answer to a request. It shares nothing with what emits such resources, which it is to prove.
 */
export { evaluateZtunnel, readByZtunnel, type ZtunnelConnection, type ZtunnelReading } from './ambient.ts'
export type { KeySets } from './authentication.ts'
export type { ExtensionProvider } from './extauthz.ts'
export { evaluateIstio, evaluateIstioTcp, type IstioConnection, type IstioRequest, type IstioVerdict } from './evaluate.ts'
export { DEFAULT_MESH, type Mesh, type PathNormalization, type Workload } from './mesh.ts'
export { istioOf, parseIstio, readIstio, type ReadIstio } from './read.ts'
export { DETAILS, staticEnvoy, type StaticWorld } from './static.ts'
export { BEARER, type Place, type ShownToken } from './tokens.ts'
export { translateIstio, type IstioInput, type Translated } from './translate.ts'
export type { AuthorizationPolicy, IstioResource, NamedFilter, RequestAuthentication } from './types.ts'
