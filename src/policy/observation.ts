/** What of a policy is only observed, for whoever enforces it and has no clock: what holds at an instant, and until when. */
import type { Guardrail, Model } from './model.ts'
import { statementsOn } from './statements.ts'

export interface Observation {
  /** The guardrail; undefined for the resource itself. */
  readonly guardrail: string | undefined
  /** Milliseconds since the epoch: enforced from then on. */
  readonly until: number
}

/** What of a resource is observed at an instant, what ends first before the rest. */
export function observationsOn(model: Model, resource: string, time: number): readonly Observation[] {
  const all: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, model.world.resources[resource]?.observedUntil],
    ...statementsOn(model, resource).guardrails.map(({ id, observedUntil }) => [id, observedUntil] as const),
  ]
  return all
    .flatMap(([guardrail, until]) => (until === undefined || until <= time ? [] : [{ guardrail, until }]))
    .toSorted((one, other) => one.until - other.until)
}

/**
 * A policy without anything that is only observed.
 * @param time What of its guardrails is observed then is left out; default: all that there are, as it is once nothing is observed any more
 */
export function enforcedModel(model: Model, time = Infinity): Model {
  const enforced = (all: readonly Guardrail[]): readonly Guardrail[] =>
    all.flatMap((one) => {
      if (one.observedUntil === undefined) return [one]
      return one.observedUntil <= time ? [{ ...one, observedUntil: undefined }] : []
    })
  const { on, world } = model
  const resources = Object.entries(world.resources).map(([name, one]) => [name, { ...one, observedUntil: undefined }] as const)
  return {
    ...model,
    guardrails: enforced(model.guardrails),
    world: { ...world, resources: Object.fromEntries(resources) },
    on:
      on &&
      ((resource) => {
        const { rules, guardrails } = on(resource)
        return { rules, guardrails: enforced(guardrails) }
      }),
  }
}
