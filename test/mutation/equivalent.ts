/**
 * Mutants that no input tells from what is written, each with the reason. They are passed over; an entry that meets no mutant any more is an
 * error, so that none outlives its line.
 */

export interface Equivalent {
  /** The line's text without what surrounds it. */
  readonly line: string
  /** The same of the line before, where there are several such lines. */
  readonly after?: string
  /** As `npm run load -- mutants --list` tells it. */
  readonly change: string
  readonly because: string
}

export const EQUIVALENT: Readonly<Record<string, readonly Equivalent[]>> = {
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
  'src/policy/bind.ts': [
    {
      line: "if (match === 'none' || value === undefined) return undefined",
      change: "match === 'none' || value === undefined → false",
      because:
        'a value that is not there has none of the wanted ones, and what `none` lacks has none of them either: nothing is left of it',
    },
    {
      line: "if (match === 'none' || value === undefined) return undefined",
      change: '|| → &&',
      because:
        'a value that is not there has none of the wanted ones, and what `none` lacks has none of them either: nothing is left of it',
    },
    {
      line: 'if (++count % STEP === 0) yield',
      change: '++count % STEP === 0 → true',
      because: 'other work gets its turn more or less often, and the bindings are the same',
    },
    {
      line: 'if (++count % STEP === 0) yield',
      change: '++count % STEP === 0 → false',
      because: 'other work gets its turn more or less often, and the bindings are the same',
    },
    {
      line: 'if (++count % STEP === 0) yield',
      change: '=== → !==',
      because: 'other work gets its turn more or less often, and the bindings are the same',
    },
    {
      line: 'if (++count % STEP === 0) yield',
      change: '% → *',
      because: 'other work gets its turn more or less often, and the bindings are the same',
    },
    {
      line: 'if (++count % STEP === 0) yield',
      change: 'yield → ;',
      because: 'other work gets its turn more or less often, and the bindings are the same',
    },
    {
      line: 'if (known !== undefined) return known',
      change: 'known !== undefined → false',
      because: 'binding the identity again by the same policy gives the same state',
    },
    {
      line: "if (state !== 'not-held')",
      change: "state !== 'not-held' → true",
      because: 'a role that is not held is activated neither as held nor as unknown',
    },
    {
      line: "if (binding.match === 'none') found.none.push(binding)",
      change: "binding.match === 'none' → true",
      because: 'a candidate more is asked by `holds` and not held',
    },
    {
      line: "for (const value of binding.match === 'all' ? [...binding.values].slice(0, 1) : binding.values) {",
      change: "binding.match === 'all' → false",
      because: 'a candidate more is asked by `holds` and not held, and one that is asked twice gives the same',
    },
    {
      line: "for (const value of binding.match === 'all' ? [...binding.values].slice(0, 1) : binding.values) {",
      change: '.slice(…) → nothing',
      because: 'a candidate more is asked by `holds` and not held, and one that is asked twice gives the same',
    },
    {
      line: 'if (identity.unknownClaims.has(claim)) {',
      change: 'identity.unknownClaims.has(claim) → true',
      because: 'a candidate more is asked by `holds` and not held',
    },
    { line: 'continue', after: 'yield* bindings.every', change: 'continue → ;', because: 'a binding that is asked twice gives the same' },
    {
      line: 'const value = Object.hasOwn(identity.claims, claim) ? identity.claims[claim] : undefined',
      change: 'Object.hasOwn(identity.claims, claim) → true',
      because: 'a candidate more is asked by `holds`, which looks at own claims only',
    },
    {
      line: 'if (value === undefined) continue',
      change: 'value === undefined → false',
      because: 'no binding is found by a value that is not there',
    },
    { line: 'if (value === undefined) continue', change: 'continue → ;', because: 'no binding is found by a value that is not there' },
  ],
  'src/policy/compare/bdd.ts': [
    {
      line: 'this.#ands.set(key, made)',
      change: 'this.#ands.set(key, made) → ;',
      because: "what isn't remembered is made again, and made the same",
    },
  ],
  'src/policy/compile.ts': [
    {
      line: 'const patterns = statement.actions.map(({ pattern }) => pattern).filter((pattern) => pattern.protocol === protocol)',
      change: '.filter(…) → nothing',
      because: 'the index of a protocol leaves out the patterns of others',
    },
  ],
  'src/policy/decide.ts': [
    {
      line: 'if (place.guardsByRole.roles.length > 0 || place.guardsButFor.length > 0) (guards ??= new Guards(party, asked)).look(place)',
      change: '> → >=',
      because: 'guardrails of none come to nothing',
    },
    {
      line: 'const rules = foreign !== undefined ? NONE : more === undefined ? (first === undefined ? NONE : [first.id]) : [...more.keys()].toSorted()',
      change: 'foreign !== undefined → false',
      because: 'the rules of an issuer that is not accepted are left out where the denial is made',
    },
    {
      line: 'return [...new Map(all.map((one) => [text(one), one] as const))].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)',
      change: '< → <=',
      because: 'the texts are different, as they are the keys of a map',
    },
    {
      line: 'if (place.guardsByRole.roles.length > 0 || place.guardsButFor.length > 0) (guards ??= new Guards(party, asked)).look(place)',
      change: '> → >= (2)',
      because: 'guardrails of none come to nothing',
    },
  ],
  'src/policy/resources.ts': [
    {
      line: '.filter(([, { labels }]) => wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value))',
      change: '> → >=',
      because: 'a choice without labels is refused, whatever it would choose',
    },
  ],
  'src/policy/roles.ts': [
    {
      line: 'return left < right ? -1 : left > right ? 1 : 0',
      change: '> → >=',
      because: 'bindings of the same meaning stand in any order',
    },
    {
      line: 'waiting.push(...(declared.get(next)?.includes ?? []))',
      change: '?. → .',
      because: 'roles that are not there are refused before',
    },
    {
      line: 'const waiting = [...left].flatMap(([name, to]) => (to.size === 0 ? [name] : []))',
      change: 'to.size === 0 → false',
      because: 'roles that lead to no circle are passed over when they are followed, which only takes longer',
    },
    {
      line: 'if (to?.delete(name) === true && to.size === 0) waiting.push(other)',
      change: 'waiting.push(other) → ;',
      because: 'roles that lead to no circle are passed over when they are followed, which only takes longer',
    },
    {
      line: 'for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {',
      change: 'name !== undefined → false',
      because: 'roles that lead to no circle are passed over when they are followed, which only takes longer',
    },
    {
      line: 'left.delete(name)',
      change: 'left.delete(name) → ;',
      because: 'roles that lead to no circle are passed over when they are followed, which only takes longer',
    },
    {
      line: 'if (to?.delete(name) === true && to.size === 0) waiting.push(other)',
      change: '?. → .',
      because: 'a role is taken away only after all that it includes, and each of them is met once',
    },
    {
      line: 'const waiting = [...(declared.get(name)?.includes ?? [])]',
      change: '?. → .',
      because: 'roles that are not there are refused before',
    },
  ],
  'src/policy/when/condition.ts': [
    {
      line: "if ('problem' in parsed) throw new Error(parsed.problem)",
      change: "'problem' in parsed → false",
      because: 'a text that could be read before can be read again',
    },
  ],
}
