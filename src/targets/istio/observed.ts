/**
 * Istio has no clock: what is written is what holds when it is compiled. What is only observed then is a dry run, and what is enforced once
 * observation has ended has to be tellable by now, or nobody could begin with it.
 */
import { ALWAYS } from '../../core/token.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import type { HttpPattern } from '../../policy/actions/http/template.ts'
import { compileNative, type NativeInput, type NativeResult } from '../../policy/native/compile.ts'
import type { NativeResource, NativeRule, NotNative } from '../../policy/native/native.ts'
import { enforcedModel, observationsOn, type Observation } from '../../policy/observation.ts'

export interface Phases {
  /** What is enforced now. Of a resource that is only observed: that everything of every caller is let through. */
  readonly now: Pick<NativeResource, 'issuers' | 'rules' | 'guardrails' | 'scopes' | 'name'>
  /** What is enforced once nothing is observed any more; undefined where nothing is observed. */
  readonly after: NativeResource | undefined
  /** What lets everything through, while the whole resource is observed. */
  readonly open: Pick<NativeRule, 'patterns' | 'applies'> | undefined
  /** Whether it has been. */
  readonly hasEnded: boolean
  readonly observations: readonly Observation[]
  readonly refused: readonly NotNative[]
}

const EVERYTHING: HttpPattern = { protocol: 'http', text: '* /**', method: '*', segments: [], rest: true, parameters: [] }

export function phasesOf(
  { model, loadedAt: time }: Pick<CompiledPolicy, 'model' | 'loadedAt'>,
  resource: string,
  input: Pick<NativeInput, 'issuers' | 'peersOf'>,
): Phases {
  const observations = observationsOn(model, resource, time)
  const until = model.world.resources[resource]?.observedUntil
  const isOpen = until !== undefined && until > time
  const compiled = (of: typeof model): NativeResult => compileNative({ model: of, resource, ...input })
  const { native, refused } = compiled(enforcedModel(model))
  const shared = { observations, refused, hasEnded: until !== undefined && !isOpen }
  if (observations.length === 0) return { ...shared, now: native, after: undefined, open: undefined }
  if (!isOpen) return { ...shared, now: compiled(enforcedModel(model, time)).native, after: native, open: undefined }
  const { issuers, observed } = compiled(model).native
  const applies = new Map([...observed!.lets.keys()].map((caller) => [caller, ALWAYS]))
  const now = { name: resource, issuers, rules: native.rules, guardrails: [], scopes: undefined }
  return { ...shared, now, after: native, open: { patterns: [EVERYTHING], applies } }
}

/** For people: `guardrail soon until 2026-12-31T00:00:00.000Z`. */
export function observationText(resource: string, { guardrail, until }: Observation): string {
  return `${guardrail === undefined ? `resource \`${resource}\`` : `guardrail \`${guardrail}\``} until ${new Date(until).toISOString()}`
}
