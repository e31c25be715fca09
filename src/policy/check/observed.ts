import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import type { Model } from '../model.ts'
import { WARNING } from './statements.ts'

/** Guardrails that say that they are only observed, and are enforced by now. */
export function observed({ guardrails }: Model, now: number): readonly Diagnostic[] {
  return guardrails.flatMap(({ id, observedUntil, span }) => {
    if (observedUntil === undefined || now < observedUntil) return []
    const details = { what: `guardrail \`${id}\``, until: new Date(observedUntil).toISOString() }
    return [diagnostic('policy/observe-over', details, span, WARNING)]
  })
}
