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
  'src/policy/actions/http/trie.ts': [
    { line: 'if (count === -1) {', change: 'count === -1 → true', because: 'a path in its normal form is that already' },
    { line: 'const power = words[node + SHAPE]! >> POWER', change: '+ → -', because: 'where the first number of it is, which is 0' },
    { line: 'const length = words[node + SHAPE]! & LENGTH', change: '+ → -', because: 'where the first number of it is, which is 0' },
    { line: 'const others = words[at + OTHERS]!', change: '+ → -', because: 'where the first number of it is, which is 0' },
  ],
  'src/policy/actions/http/write.ts': [
    {
      line: 'for (let i = 0; i < text.length; i += 4) {',
      change: '< → <=',
      because: 'one number more behind a text whose length is said before it',
    },
    { line: 'if (taken + words.length > shared.length) {', change: '> → >=', because: 'an array that would be full is left as it is' },
    { line: 'words[at + SHAPE] = text.length', change: '+ → -', because: 'where the first number of it is, which is 0' },
    { line: 'words[node + SHAPE]! |= power << POWER', change: '+ → -', because: 'where the first number of it is, which is 0' },
    {
      line: 'if (forAny.length > 0) words[at + OTHERS] = this.#stand(forAny)',
      change: '+ → -',
      because: 'where the first number of it is, which is 0',
    },
    {
      line: 'for (let j = 0; j < 4 && i + j < text.length; j++) four |= text.charCodeAt(i + j) << (j * 8)',
      change: '< → <= (2)',
      because: 'behind a text, nothing is added',
    },
    {
      line: 'for (let j = 0; j < 4 && i + j < text.length; j++) four |= text.charCodeAt(i + j) << (j * 8)',
      change: '+ → -',
      because: 'behind a text, nothing is added',
    },
    {
      line: 'if (literals.size === 1) for (const [literal, child] of literals) words[at + LITERALS] = this.node(child, literal)',
      change: 'literals.size === 1 → false',
      because: 'one literal in a table is found there',
    },
    { line: 'const power = Math.ceil(Math.log2((literals.size * 4) / 3))', change: '/ → *', because: 'a larger table' },
    {
      line: "const named = place.methods.filter((method) => method !== '*')",
      change: '.filter(…) → nothing',
      because: 'a method `*` would be given what every other is given',
    },
    {
      line: "const named = place.methods.filter((method) => method !== '*')",
      change: "method !== '*' → true",
      because: 'a method `*` would be given what every other is given',
    },
    {
      line: 'for (let i = 0; i < EACH + 2 * named.length; i++) words.push(0)',
      change: '< → <=',
      because: 'one number more than is looked at',
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
  'src/policy/actions/records.ts': [
    {
      line: 'if (flat !== undefined) return flat.read(flat.write(entries, record))',
      change: 'flat !== undefined → false',
      because: 'the other form finds the same',
    },
  ],
}
