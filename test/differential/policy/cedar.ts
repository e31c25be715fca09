/** Cedar, as WebAssembly: rules are `permit`, guardrails `forbid`, roles are parents of the principal. */
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import { methodsOf, templateOf, type Ask, type CommonPolicy, type Engine, type Opened, type Statement } from './subset.ts'

const text = (value: string): string => JSON.stringify(value)

/**
 * Cedar has no notion of a segment (its `*` goes over slashes), so a request brings its segments: how many, and each by its number. Whether there
 * are enough is asked first: Cedar goes from left to right, and an attribute that isn't there is an error.
 */
function pathCondition(template: string): string {
  const { segments, rest } = templateOf(template)
  const each = segments.flatMap((segment, i) => (segment === undefined ? [`context.s${i} != ""`] : [`context.s${i} == ${text(segment)}`]))
  return [`context.segments ${rest ? '>' : '=='} ${segments.length}`, ...each].join(' && ')
}

export function cedarOf(statement: Statement, effect: 'permit' | 'forbid'): string {
  const { id, role, resource, method, template, claim } = statement
  const methods = methodsOf(statement).map((one) => `Action::${text(one)}`)
  const action = method === '*' ? 'action' : methods.length === 1 ? `action == ${methods[0]}` : `action in [${methods.join(', ')}]`
  const when = claim === undefined ? '' : ` && principal.${claim.name} == ${text(claim.value)}`
  return (
    `@id(${text(id)}) ${effect} (principal in Role::${text(role)}, ${action}, resource == Resource::${text(resource)})` +
    ` when { ${pathCondition(template)}${when} };`
  )
}

let sets = 0

/** What Cedar answers, with the policies whose conditions were errors. */
export function askCedar(prepared: string, { party, resource, method, path }: Ask): { readonly allowed: boolean; readonly errors: number } {
  const answer = cedar.statefulIsAuthorized(callOf(prepared, { party, resource, method, path }))
  if (answer.type === 'failure') throw new Error(answer.errors.map(({ message }) => message).join('; '))
  return { allowed: answer.response.decision === 'allow', errors: answer.response.diagnostics.errors.length }
}

function callOf(prepared: string, { party, resource, method, path }: Ask): cedar.StatefulAuthorizationCall {
  const segments = path.slice(1).split('/')
  const principal = { type: 'User', id: party.name }
  const uid = { type: 'Resource', id: resource }
  return {
    principal,
    action: { type: 'Action', id: method },
    resource: uid,
    context: { segments: segments.length, ...Object.fromEntries(segments.map((segment, i) => [`s${i}`, segment])) },
    preparsedPolicySetId: prepared,
    entities: [{ uid: principal, attrs: { ...party.claims }, parents: party.roles.map((id) => ({ type: 'Role', id })) }],
  }
}

/** Parses once; answers the name of what was parsed. */
export function prepareCedar({ rules, guardrails }: CommonPolicy): string {
  const name = `policy-${sets++}`
  const policies = Object.fromEntries([
    ...rules.map((one) => [one.id, cedarOf(one, 'permit')] as const),
    ...guardrails.map((one) => [one.id, cedarOf(one, 'forbid')] as const),
  ])
  const answer = cedar.preparsePolicySet(name, { staticPolicies: policies })
  if (answer.type === 'failure') throw new Error(answer.errors.map(({ message }) => message).join('; '))
  return name
}

export const cedarEngine: Engine = {
  name: 'Cedar',
  setUp: 'WebAssembly in the same process; policies parsed once (`preparsePolicySet`, `statefulIsAuthorized`), without a schema',
  open(policy): Promise<Opened> {
    const prepared = prepareCedar(policy)
    return Promise.resolve({
      prepare(ask) {
        const call = callOf(prepared, ask)
        return () => {
          const answer = cedar.statefulIsAuthorized(call)
          if (answer.type === 'failure') throw new Error(answer.errors.map(({ message }) => message).join('; '))
          return answer.response.decision === 'allow'
        }
      },
    })
  },
}
