import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import type { Model } from '../model.ts'
import { confusion } from './confusable.ts'
import { WARNING } from './statements.ts'

/** Values of claims and actions that look like others than they are. Names of ours are plain ASCII by their form. */
export function confusables({ roles, rules, guardrails }: Model): readonly Diagnostic[] {
  const bindings = [...roles.values()].flatMap(({ name, bindings: own }) =>
    own.flatMap(({ via, values, span }) => {
      const found = via === undefined ? doubtful([...values].map(String)) : undefined
      return found === undefined ? [] : [diagnostic('policy/confusable', { ...found, where: `role \`${name}\`` }, span, WARNING)]
    }),
  )
  const actions = [...rules, ...guardrails].flatMap(({ kind, id, actions: own }) =>
    own.flatMap(({ pattern, span }) => {
      const found = doubtful([pattern.text])
      return found === undefined ? [] : [diagnostic('policy/confusable', { ...found, where: `${kind} \`${id}\`` }, span, WARNING)]
    }),
  )
  return [...bindings, ...actions]
}

function doubtful(texts: readonly string[]): { readonly text: string; readonly problem: string } | undefined {
  for (const text of texts) {
    const problem = confusion(text)
    if (problem !== undefined) return { text, problem }
  }
  return undefined
}
