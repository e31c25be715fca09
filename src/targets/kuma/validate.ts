/**
 * Documents against what a version of Kuma knows of them. The control plane drops every field that it doesn't know and says nothing, so
 * it has to be said before.
 */
import { z } from 'zod'
import type { TargetDocument } from '../target.ts'
import type { Kind } from './documents.ts'
import type { KumaVersion } from './schema.ts'

const text = z.string().min(1)
const labels = z.record(text, z.string())

/** What a policy is for. 3.0 knows no dataplane by its name, and neither subsets nor services. */
function targetRef(version: KumaVersion) {
  const current = [
    z.strictObject({ kind: z.literal('Mesh') }),
    z.strictObject({ kind: z.literal('Dataplane'), labels, sectionName: text.optional() }),
  ] as const
  if (version === '3.0') return z.union(current)
  const named = z.strictObject({ kind: z.literal('Dataplane'), name: text, sectionName: text.optional() })
  return z.union([...current, named])
}

const matched = z.union([
  z.strictObject({ spiffeID: z.strictObject({ type: z.enum(['Exact', 'Prefix']), value: text }) }),
  z.strictObject({ sni: z.strictObject({ type: z.literal('Exact'), value: text }) }),
])
const permitted = z.strictObject({
  default: z.strictObject({
    allow: z.array(matched).optional(),
    deny: z.array(matched).optional(),
    allowWithShadowDeny: z.array(matched).optional(),
  }),
})
const legacy = z.strictObject({
  targetRef: z.strictObject({ kind: z.literal('MeshSubset'), tags: labels }),
  default: z.strictObject({ action: z.enum(['Allow', 'Deny', 'AllowWithShadowDeny']) }),
})

const origin = z.enum(['inbound', 'outbound'])
const named = z.strictObject({
  name: text.optional(),
  origin: origin.optional(),
  listenerName: text.optional(),
  listenerTags: labels.optional(),
})
const places = ['AddFirst', 'AddLast', 'AddBefore', 'AddAfter', 'Patch', 'Remove'] as const
const filter = z.strictObject({ operation: z.enum(places), match: named.optional(), value: text.optional() })
const whole = z.enum(['Add', 'Remove', 'Patch'])
const modification = z.union([
  z.strictObject({
    cluster: z.strictObject({
      operation: whole,
      match: z.strictObject({ name: text, origin }).partial().optional(),
      value: text.optional(),
    }),
  }),
  z.strictObject({ networkFilter: filter }),
  z.strictObject({ httpFilter: filter }),
  z.strictObject({
    virtualHost: z.strictObject({
      operation: whole,
      match: z.strictObject({ name: text, origin, routeConfigurationName: text }).partial().optional(),
      value: text.optional(),
    }),
  }),
])

function openTelemetry(version: KumaVersion) {
  const attributes = z.array(z.strictObject({ key: text, value: text })).optional()
  const backendRef = z.strictObject({ kind: z.literal('MeshOpenTelemetryBackend'), name: text })
  const byRef = z.strictObject({ backendRef, attributes })
  return version === '3.0' ? byRef : z.union([byRef, z.strictObject({ endpoint: text, attributes })])
}

function specs(version: KumaVersion): Readonly<Record<Kind, z.ZodType>> {
  const top = targetRef(version)
  const byRules = z.strictObject({ targetRef: top, rules: z.array(permitted).min(1) })
  const backend = z.strictObject({ type: z.literal('OpenTelemetry'), openTelemetry: openTelemetry(version) })
  return {
    MeshTLS: z.strictObject({
      targetRef: top,
      rules: z.array(z.strictObject({ default: z.strictObject({ mode: z.enum(['Strict', 'Permissive']) }) })).min(1),
    }),
    MeshProxyPatch: z.strictObject({ targetRef: top, default: z.strictObject({ appendModifications: z.array(modification).min(1) }) }),
    MeshTrafficPermission:
      version === '3.0' ? byRules : z.union([byRules, z.strictObject({ targetRef: top, from: z.array(legacy).min(1) })]),
    MeshAccessLog: z.strictObject({
      targetRef: top,
      rules: z.array(z.strictObject({ default: z.strictObject({ backends: z.array(backend).min(1) }) })).min(1),
    }),
  }
}

const SPECS: Readonly<Record<KumaVersion, Readonly<Record<Kind, z.ZodType>>>> = {
  '2.13': specs('2.13'),
  '2.14': specs('2.14'),
  '3.0': specs('3.0'),
}

/** Where it is wrong, and how; empty for a document that the version takes as it is. */
export function documentProblems(
  document: TargetDocument,
  { version, mode }: { readonly version: KumaVersion; readonly mode: string },
): readonly string[] {
  const known: Readonly<Record<string, z.ZodType>> = SPECS[version]
  const kind = String(document[mode === 'universal' ? 'type' : 'kind'])
  const spec = known[kind]
  if (spec === undefined || !Object.hasOwn(known, kind)) return [`\`${kind}\` is not known`]
  const whole =
    mode === 'universal'
      ? z.strictObject({ type: z.literal(kind), mesh: text, name: text, labels, spec })
      : z.strictObject({
          apiVersion: z.literal('kuma.io/v1alpha1'),
          kind: z.literal(kind),
          metadata: z.strictObject({ name: text, namespace: text, labels }),
          spec,
        })
  const result = whole.safeParse(document)
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}
