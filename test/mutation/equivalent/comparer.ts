/** Mutants of what compares that nothing tells from what is written. */
import type { Equivalents } from './index.ts'

export const COMPARER: Equivalents = {
  'src/policy/actions/llm/cells.ts': [
    {
      line: "tag: WITH_MODEL.includes(value) ? 'model' : 'none',",
      change: "'none' → 'any'",
      because: 'the tag is only asked for being `model`',
    },
  ],
  'src/policy/actions/llm/compare.ts': [
    {
      line: 'const anyModel = b.models.any && [...b.operations].every((one) => !WITH_MODEL.includes(one))',
      change: '&& → ||',
      because: 'a pattern with an operation on no model is for any model, which covers all',
    },
    {
      line: 'const anyModel = b.models.any && [...b.operations].every((one) => !WITH_MODEL.includes(one))',
      change: '! → nothing',
      because: 'a pattern with an operation on no model is for any model, which covers all',
    },
  ],
  'src/policy/compare/bdd.ts': [
    {
      line: 'this.#ands.set(key, made)',
      change: 'this.#ands.set(key, made) → ;',
      because: "what isn't remembered is made again, and made the same",
    },
  ],
}
