/** Mutants of the vocabularies of actions, as far as decisions are made by them that nothing tells from what is written. */
import type { Equivalents } from './index.ts'

export const ACTIONS: Equivalents = {
  'src/policy/actions/buckets.ts': [
    { line: 'if (!this.#how.isCanonical(action)) return found', change: 'found → []', because: 'nothing was found yet: `found` is empty' },
  ],
  'src/policy/actions/container/index.ts': [
    {
      line: 'const repository = images.repositories === undefined ? undefined : literalPath(images.repositories)',
      change: 'images.repositories === undefined → true',
      because: 'a pattern that is looked at besides has to meet the action all the same',
    },
    {
      line: 'operations.size > MOST && images.repositories === undefined && images.versions === undefined && isAnyValue(names),',
      change: '> → >=',
      because: 'half of an odd number of operations is no number of operations',
    },
  ],
  'src/policy/actions/http/scan.ts': [
    {
      line: 'return (Math.imul(hash, 31) + code) | 0',
      change: '+ → -',
      because: 'numbers of another spread: texts of the same number are compared',
    },
  ],
  'src/policy/actions/http/write.ts': [
    {
      line: 'for (let i = 0; i < text.length; i += 4) {',
      change: '< → <=',
      because: 'one number more behind a text whose length is said before it',
    },
  ],
  'src/policy/actions/kubernetes/known.ts': [
    {
      line: 'const found = resources.find((one) => one === resource || one === `${resource}s` || one === `${resource}es`)',
      change: 'find → findLast',
      because: 'no list has two of a name, the same with `s` and the same with `es`',
    },
  ],
  'src/policy/actions/mcp/index.ts': [
    {
      line: "buckets: ({ name }) => (name.kind === 'glob' && isLiteral(name.glob) ? [name.glob.pieces[0]!] : undefined),",
      change: "name.kind === 'glob' && isLiteral(name.glob) → false",
      because: 'a pattern that is looked at besides has to meet the action all the same',
    },
  ],
  'src/policy/actions/sql/canonical.ts': [
    {
      line: 'if (!CLASSES.includes(statement)) return false',
      change: 'false → true (2)',
      because: 'no pattern has a class that is none, and none is read',
    },
  ],
}
