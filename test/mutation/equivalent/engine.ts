/** Mutants of what decides that nothing tells from what is written. */
import type { Equivalents } from './index.ts'

export const ENGINE: Equivalents = {
  'src/policy/bind.ts': [
    {
      line: 'if (known !== undefined) return known',
      change: 'known !== undefined → false',
      lines: 2,
      because: 'binding the identity again by the same policy gives the same state, and so does reading its bindings again',
    },
    {
      line: "if (state !== 'not-held') eligible.push({ ...this.#eligible(row), state })",
      change: "state !== 'not-held' → true",
      because: 'a role that is not held is activated neither as held nor as unknown',
    },
    {
      line: 'return other === undefined || one < other ? one : other',
      change: '< → <=',
      because: 'of two names that are the same either is the first',
    },
  ],
  'src/policy/bindings.ts': [
    {
      line: "const text = typeof value === 'string' ? value : `${typeof value} ${JSON.stringify(value)}`",
      change: "typeof value === 'string' → true",
      because: 'all numbers then have one hash, and a candidate more is asked by `holds` and not held',
    },
    {
      line: 'for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)',
      change: '< → <=',
      because: 'there is nothing at the end of a text, and what it has instead is the same for all',
    },
    {
      line: "const looked = match === 'all' ? [...values].slice(0, 1) : [...values]",
      change: '.slice(…) → nothing',
      because: 'a candidate more is asked by `holds` and not held, and one that is asked twice gives the same',
    },
    {
      line: "const looked = match === 'all' ? [...values].slice(0, 1) : [...values]",
      change: "match === 'all' → false",
      because: 'a candidate more is asked by `holds` and not held, and one that is asked twice gives the same',
    },
    {
      line: 'const value = Object.hasOwn(claims, claim.name) ? claims[claim.name] : undefined',
      change: 'Object.hasOwn(claims, claim.name) → true',
      because: 'a candidate more is asked by `holds`, which looks at own claims only',
    },
    {
      line: 'if (value === undefined) return rows',
      change: 'value === undefined → false',
      because: 'no binding looks for a value that is not there',
    },
    {
      line: 'for (let i = low; i < end && hashes[i] === hash; i++) rows.push(found[i]!)',
      change: '< → <=',
      because: 'a candidate more, of another claim, is asked by `holds` and gives what it gives',
    },
    {
      line: 'return this.#roles[this.#flat.rows[row * ROW + ROLE]!]!',
      change: '+ → -',
      because: 'the role is the first number of a row',
    },
  ],
  'src/policy/holds.ts': [
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
  ],
  'src/policy/compile.ts': [
    { line: 'if (before !== undefined) return before', change: 'before !== undefined → false', because: 'one made anew finds the same' },
    {
      line: 'if (this.#index === undefined) this.makeReady()',
      change: 'this.#index === undefined → true',
      because: 'what is ready stays as it is',
    },
    { line: 'this.#makeIndex = undefined', change: 'this.#makeIndex = undefined → ;', because: 'it is only memory' },
    {
      line: 'for (const { pattern } of one.actions) if (pattern.protocol === protocol) slots.push([pattern, bring(pattern)])',
      change: 'pattern.protocol === protocol → true',
      because: 'the index of a protocol leaves out the patterns of others',
    },
  ],
  'src/policy/compiled.ts': [
    { line: '.toSorted((a, b) => (a.name < b.name ? -1 : 1))', change: '< → <=', because: 'no two resources have one name' },
    {
      line: ".map(([name, info]) => ({ name, ...info, exampleAction: vocabularyOf(info.protocol)?.exampleAction ?? '' }))",
      change: '?. → .',
      because: 'a protocol without a vocabulary is refused before',
    },
  ],
  'src/policy/demands.ts': [
    {
      line: 'return () => false',
      change: 'false → true',
      because: 'a policy with a pattern that is none is refused: nothing is asked of it',
    },
    {
      line: '(issuer) => anybody || about.met.some((role) => roles.get(role)?.bindings.some((binding) => binding.issuer === issuer) === true),',
      change: '?. → .',
      because: 'a guardrail for a role that is not there is refused before',
    },
  ],
  'src/policy/packed/model.ts': [
    {
      line: 'if (known !== undefined) return known',
      change: 'known !== undefined → false',
      lines: 2,
      because: 'what is made again is the same',
    },
    {
      line: 'if (i % STEP === 0) yield',
      change: 'i % STEP === 0 → false',
      because: 'other work gets its turn more or less often, and the policy is the same',
    },
    {
      line: 'if (number % STEP === 0) yield',
      change: 'number % STEP === 0 → false',
      because: 'other work gets its turn more or less often, and the policy is the same',
    },
  ],
  'src/policy/packed/pages.ts': [
    {
      line: 'while (octets.length - end < text.length * 3) {',
      change: '< → <=',
      because: 'there is more room than is needed, and what is written is the same',
    },
    {
      line: 'return { octets: octets.slice(0, end), starts }',
      change: '.slice(…) → nothing',
      because: 'there is more room than is needed, and what is written is the same',
    },
  ],
  'src/policy/packed/policy.ts': [
    {
      line: 'policy.prepare(resource)',
      change: 'policy.prepare(resource) → ;',
      because: "what isn't ready is made when it is first asked about",
    },
    { line: 'yield', lines: 2, change: 'yield → ;', because: 'other work gets its turn more or less often, and the policy is the same' },
  ],
  'src/policy/packed/tables.ts': [
    {
      line: 'const pattern = vocabularyOf(protocol)?.parse(text, side).pattern',
      change: '?. → .',
      because: 'the pattern was read from the same text before',
    },
    {
      line: 'if (pattern === undefined) throw new Error(`\\`${text}\\` is no action of ${protocol}`)',
      change: 'throw new Error(`\\`${text}\\` is no action of ${protocol}`) → ;',
      because: 'the pattern was read from the same text before',
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
  'src/policy/when/check.ts': [
    {
      line: 'if (iterRange === undefined || accuInit === undefined || loopCondition === undefined || loopStep === undefined || result === undefined)',
      change: '|| → && (4)',
      because: 'a loop that was read has all of its parts',
    },
    {
      line: 'const fitting = overloads.find((one) => fits(one, receiver, args))',
      change: 'find → findLast',
      because: 'overloads that fit the same arguments have the same result',
    },
    {
      line: 'if (iterRange === undefined || accuInit === undefined || loopCondition === undefined || loopStep === undefined || result === undefined)',
      change: '|| → && (3)',
      because: 'a loop that was read has all of its parts',
    },
  ],
  'src/policy/when/condition.ts': [
    {
      line: "if ('problem' in parsed) throw new Error(parsed.problem)",
      change: "'problem' in parsed → false",
      because: 'a text that could be read before can be read again',
    },
  ],
  'src/policy/when/extent.ts': [
    {
      line: 'return { from: before.from, to: (at === -1 ? own : at) + field.length }',
      change: 'at === -1 → false',
      because: 'the name of a field stands behind what it is a field of',
    },
  ],
  'src/policy/when/functions.ts': [
    {
      line: 'if (cache.size >= MAX_KEPT) cache.delete(cache.keys().next().value!)',
      change: '>= → >',
      because: 'one more is kept, and what is kept is the same as what is made anew',
    },
    {
      line: "if (address === undefined || range === undefined) throw new Error('the address can not be read')",
      change: '|| → &&',
      because: 'what is no address is in no range without an error, either',
    },
  ],
  'src/policy/when/operators.ts': [
    {
      line: 'if (a === undefined || b === undefined) return undefined',
      lines: 3,
      change: '|| → &&',
      because: 'such an operator has two operands',
    },
    {
      line: "'@not_strictly_false': logical('all'),",
      change: "'all' → 'any'",
      because: 'the condition of a loop is written by the parser, and never told',
    },
  ],
  'src/policy/when/parse.ts': [
    {
      line: 'unlistedVariablesAreDyn: true,',
      change: 'true → false',
      because: 'nothing but its parser is asked, which knows no variables',
    },
    {
      line: 'if (expr !== undefined && sourceInfo !== undefined) return { expr, source: sourceInfo }',
      change: '&& → ||',
      because: 'what could be read has both',
    },
    {
      line: 'const from = Math.min(range?.start ?? 0, text.length)',
      change: '?. → .',
      because: 'every error of that parser has its place',
    },
    {
      line: 'const to = Math.max(from, Math.min(range?.end ?? text.length, text.length))',
      change: '?. → .',
      because: 'every error of that parser has its place',
    },
  ],
}
