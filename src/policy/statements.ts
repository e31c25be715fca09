import type { Guardrail, Model, Rule } from './model.ts'

/** What speaks of one resource, each sorted by id. */
export interface Statements {
  readonly rules: readonly Rule[]
  readonly guardrails: readonly Guardrail[]
}

const NOTHING: Statements = { rules: [], guardrails: [] }

/** Those of each model that were looked for before. A model is immutable, and kept by whoever asks. */
const known = new WeakMap<Model, ReadonlyMap<string, Statements>>()

/** The rules and guardrails of a resource, without going through all of the policy for each. */
export function statementsOn(model: Model, resource: string): Statements {
  if (model.on !== undefined) return model.on(resource)
  let all = known.get(model)
  if (all === undefined) known.set(model, (all = byResource(model)))
  return all.get(resource) ?? NOTHING
}

function byResource({ rules, guardrails }: Model): ReadonlyMap<string, Statements> {
  const all = new Map<string, { readonly rules: Rule[]; readonly guardrails: Guardrail[] }>()
  const at = (resource: string) => {
    let here = all.get(resource)
    if (here === undefined) all.set(resource, (here = { rules: [], guardrails: [] }))
    return here
  }
  for (const rule of rules) for (const resource of rule.resources) at(resource).rules.push(rule)
  for (const guardrail of guardrails) for (const resource of guardrail.resources) at(resource).guardrails.push(guardrail)
  return all
}
