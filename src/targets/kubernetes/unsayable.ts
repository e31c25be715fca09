/** What neither roles of a cluster nor those of Azure can say: they only grant. */
import type { Span } from '../../core/span.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import type { Rule } from '../../policy/model.ts'
import { statementsOn } from '../../policy/statements.ts'
import type { TargetInput } from '../target.ts'
import type { KubernetesTarget } from './schema.ts'

export interface Unsayable {
  /** A guardrail, or the resource. */
  readonly what: string
  readonly why: string
  readonly span: Span | undefined
}

/** Guardrails of the resource, and what its wiring asks for. */
export function unsayable({ config, wiring, policy }: TargetInput<KubernetesTarget>): readonly Unsayable[] {
  const { resource, subjects } = config
  const { observe, scopes, record, maxTokenLifetime } = wiring.resources[resource] ?? {}
  const ofResource: readonly (readonly [boolean, string])[] = [
    [observe !== undefined, '`observe:` of the resource lets through what is denied'],
    [scopes !== undefined, '`scopes:` are of tokens, which its roles do not see'],
    [subjects === 'object-ids' && maxTokenLifetime !== undefined, '`maxTokenLifetime` is of tokens that are verified elsewhere'],
    [record === 'strict', '`record: strict` wants a record before the effect'],
  ]
  return [
    ...statementsOn(policy.model, resource).guardrails.map(({ id, denies, span }) => ({
      what: id,
      why: denies ? 'its roles can grant, and deny nothing' : 'its roles can grant, and ask for nothing more',
      span,
    })),
    ...ofResource.flatMap(([is, why]) => (is ? [{ what: resource, why, span: undefined }] : [])),
  ]
}

/** @throws NoNativeForm for a rule that asks for more than a role */
export function unconditional({ when, peer }: Rule): void {
  if (when !== undefined) throw new NoNativeForm('`when:` is a condition, and its roles have none')
  if (peer !== undefined) throw new NoNativeForm('`peer:` asks who is at the other end of the connection')
}
