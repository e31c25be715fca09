/** What the roles that every cluster has by itself give to everybody, as patterns of a policy that would say the same. */
import type { CompiledPolicy } from '../../policy/index.ts'
import { covers } from '../../policy/actions/kubernetes/compare.ts'
import { parsePattern, type KubernetesPattern } from '../../policy/actions/kubernetes/template.ts'
import { AUTHENTICATED, EVERYONE } from '../../policy/model.ts'
import { statementsOn } from '../../policy/statements.ts'

const HEALTH = ['/healthz', '/livez', '/readyz', '/version', '/version/'].map((path) => `get ${path}`)
/** To everybody, and to whoever the cluster lets in. */
export const GIVEN: readonly { readonly role: string; readonly actions: readonly string[] }[] = [
  { role: EVERYONE, actions: HEALTH },
  {
    role: AUTHENTICATED,
    actions: [
      ...['/api', '/api/**', '/apis', '/apis/**', '/openapi', '/openapi/**'].map((path) => `get ${path}`),
      'create selfsubjectreviews.authentication.k8s.io',
      'create selfsubjectaccessreviews.authorization.k8s.io',
      'create selfsubjectrulesreviews.authorization.k8s.io',
    ],
  },
]

/** Of it, what no rule gives as well, by the role that a rule would have to be for. */
export function notGranted({ model }: CompiledPolicy, resource: string): typeof GIVEN {
  const { rules, guardrails } = statementsOn(model, resource)
  return GIVEN.flatMap(({ role, actions }) => {
    const granting = rules
      .filter(({ roles, when, peer }) => when === undefined && peer === undefined && (roles.includes(role) || roles.includes(EVERYONE)))
      .flatMap((rule) => rule.actions.flatMap(({ pattern }) => (pattern.protocol === 'kubernetes' ? [pattern] : [])))
    const missing = actions.filter((text) => guardrails.length > 0 || !granting.some((one) => covers(one, patternOf(text))))
    return missing.length === 0 ? [] : [{ role, actions: missing }]
  })
}

/** Whether each cluster gives it to whoever holds the role: to everybody it knows, unless the role is everybody's. */
export function isGiven(role: string, pattern: KubernetesPattern): boolean {
  return GIVEN.filter((one) => role !== EVERYONE || one.role === EVERYONE).some(({ actions }) =>
    actions.some((text) => covers(patternOf(text), pattern)),
  )
}

function patternOf(text: string): KubernetesPattern {
  const { pattern, problem } = parsePattern(text, 'grants')
  if (pattern === undefined) throw new TypeError(problem)
  return pattern
}
