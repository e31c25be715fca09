import type { CompiledPolicy } from '../compiled.ts'
import type { Guardrail, Rule } from '../model.ts'
import { roleDefinitions, type Numbers, type RoleDefinition } from './roles.ts'

/** One version, with what is looked up again and again. */
export interface Version<P extends Pick<CompiledPolicy, 'model'> = CompiledPolicy> {
  readonly policy: P
  readonly roles: ReadonlyMap<string, RoleDefinition>
  readonly byResource: ReadonlyMap<string, readonly (Rule | Guardrail)[]>
}

export function versionOf<P extends Pick<CompiledPolicy, 'model'>>(policy: P, now: number, numbers: Numbers): Version<P> {
  const { model } = policy
  const byResource = new Map<string, (Rule | Guardrail)[]>()
  for (const statement of [...model.rules, ...model.guardrails])
    for (const resource of statement.resources) {
      const list = byResource.get(resource)
      if (list === undefined) byResource.set(resource, [statement])
      else list.push(statement)
    }
  return { policy, roles: roleDefinitions(model, now, numbers), byResource }
}
