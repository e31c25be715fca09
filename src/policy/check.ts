import type { Diagnostic } from '../core/errors.ts'
import { exemptions } from './check/exemptions.ts'
import { wildcards } from './check/grants.ts'
import { confusables } from './check/lookalikes.ts'
import { observed } from './check/observed.ts'
import { lookAlikes, slashGaps } from './check/paths.ts'
import { redundant, selectors, shadows, strangers } from './check/reach.ts'
import { roles } from './check/roles.ts'
import { byResource, type ByResource } from './check/statements.ts'
import type { CompiledPolicy } from './compiled.ts'
import type { Model } from './model.ts'

export { checkWiring } from './check/wiring.ts'

/** Everything that is looked for, a kind of finding each. */
const CHECKS: readonly ((model: Model, near: ByResource, now: number) => readonly Diagnostic[])[] = [
  (model, _, now) => roles(model, now),
  selectors,
  shadows,
  strangers,
  redundant,
  slashGaps,
  wildcards,
  exemptions,
  lookAlikes,
  confusables,
  (model, _, now) => observed(model, now),
]

/** What is allowed but probably not meant, as warnings. Each has its place. @param now Milliseconds since the epoch. */
export function checkPolicy({ model }: CompiledPolicy, now: number): readonly Diagnostic[] {
  const near = byResource(model)
  return CHECKS.flatMap((check) => check(model, near, now))
}
