import { regexes } from '../../../testing/regexes.ts'
/** Resources in few words, and questions about them, for the tests of their meaning. */
import { evaluateIstio, evaluateIstioTcp, type IstioConnection, type IstioRequest, type IstioVerdict } from './evaluate.ts'
import { DEFAULT_MESH, type Mesh, type Workload } from './mesh.ts'
import { parseIstio } from './read.ts'
import { translateIstio, type Translated } from './translate.ts'
import type { ShownToken } from './tokens.ts'

const NOW = Date.UTC(2030, 0, 1)
export const seconds = NOW / 1000
const WORKLOAD: Workload = { kind: 'sidecar', namespace: 'shop', labels: { app: 'orders' } }

export function policy(name: string, spec: string, namespace = 'shop', annotations = '{}'): string {
  return `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ${name}, namespace: ${namespace}, annotations: ${annotations}}\nspec: ${spec}\n---\n`
}
export function tokens(rules: string, name = 'tokens'): string {
  return `apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: ${name}, namespace: shop}\nspec: {jwtRules: [${rules}]}\n---\n`
}
export function translated(text: string, workload: Partial<Workload> = {}, mesh: Partial<Mesh> = {}): Translated {
  const keys = new Map([
    ['https://a/k', '{"keys":["a"]}'],
    ['https://b/k', '{"keys":["b"]}'],
  ])
  return translateIstio({
    resources: parseIstio('a', text),
    mesh: { ...DEFAULT_MESH, ...mesh },
    workload: { ...WORKLOAD, ...workload },
    keys,
  })
}
export function ask(of: Translated, request: Partial<IstioRequest> = {}): IstioVerdict {
  return evaluateIstio(of, { method: 'GET', path: '/', host: 'a', time: NOW, port: 80, source: '10.0.0.1', ...request }, regexes)
}
export function allows(
  text: string,
  request: Partial<IstioRequest> = {},
  workload: Partial<Workload> = {},
  mesh: Partial<Mesh> = {},
): boolean {
  return ask(translated(text, workload, mesh), request).allowed
}
export function token(payload: Record<string, unknown> = {}, more: Partial<ShownToken> = {}): { readonly tokens: readonly ShownToken[] } {
  return { tokens: [{ payload: { iss: 'a', sub: 'me', exp: seconds + 60, ...payload }, ...more }] }
}
export const A = '{issuer: a, jwksUri: "https://a/k"}'
export const B = '{issuer: b, jwksUri: "https://b/k"}'
export const tcp = (text: string, connection: IstioConnection): boolean => evaluateIstioTcp(translated(text), connection, regexes).allowed
