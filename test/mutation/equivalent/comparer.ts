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
      line: 'const key = a < b ? a * WIDE + b : b * WIDE + a',
      lines: 2,
      change: '+ → - (2)',
      because: "the number of a pair is another one, and no other pair's",
    },
    {
      line: 'this.#xors.set(key, made)',
      change: 'this.#xors.set(key, made) → ;',
      because: "what isn't remembered is made again, and made the same",
    },
    {
      line: 'if (a === NEVER || b === NEVER) return NEVER',
      change: '|| → &&',
      because: 'what is never so is found not to be by its branches as well, which only takes longer',
    },
    {
      line: 'this.#ands.set(key, made)',
      change: 'this.#ands.set(key, made) → ;',
      because: "what isn't remembered is made again, and made the same",
    },
  ],
  'src/policy/compare/condition.ts': [
    { line: 'const step = loop?.loopStep?.exprKind', change: '?. → . (2)', because: 'a loop that was read has a step' },
  ],
  'src/policy/compare/difference.ts': [
    {
      line: "const opaque = this.#facts.all.filter((fact): fact is Extract<Fact, { about: 'opaque' }> => fact.about === 'opaque')",
      change: "fact.about === 'opaque' → true",
      because: 'nothing else can be an error',
    },
  ],
  'src/policy/compare/index.ts': [
    {
      line: 'if (quick !== undefined) return quick',
      change: 'quick !== undefined → false',
      because: 'what is found the long way is the same, which only takes longer',
    },
    {
      line: 'if (sameResource && left === right) continue',
      change: 'continue → ;',
      because: 'what means the same is compared and found equal, which only takes longer',
    },
    {
      line: "return [...numbers].toSorted((a, b) => a - b).join(' ')",
      change: '- → +',
      because: 'the same in another order is compared and found equal, which only takes longer',
    },
  ],
  'src/policy/compare/observed.ts': [
    {
      line: 'if (protocol === undefined || observedUntil === undefined || observedUntil <= now) return []',
      change: '<= → <',
      because: 'what is observed until now lets nothing through from now on',
    },
  ],
  'src/policy/compare/projected.ts': [
    {
      line: 'const about = parts.filter(({ support }) => support.has(variable))',
      change: 'support.has(variable) → true',
      because: 'what goes first, and with how much, changes only how large what is between becomes',
    },
    {
      line: 'const about = parts.filter(({ support }) => support.has(variable))',
      change: '.filter(…) → nothing',
      because: 'what goes first, and with how much, changes only how large what is between becomes',
    },
    {
      line: 'for (const { support } of parts) for (const one of support) if (hidden.has(one)) reach.set(one, (reach.get(one) ?? 0) + support.size)',
      change: '+ → -',
      because: 'what goes first, and with how much, changes only how large what is between becomes',
    },
    {
      line: 'for (const { support } of parts) for (const one of support) if (hidden.has(one)) reach.set(one, (reach.get(one) ?? 0) + support.size)',
      change: 'hidden.has(one) → true',
      because: 'what goes first, and with how much, changes only how large what is between becomes',
    },
    {
      line: 'return alone.size === 0 ? { node, support } : partOf(bdd.exists(node, (one) => alone.has(one)))',
      change: '=== → !==',
      because: 'what goes first, and with how much, changes only how large what is between becomes',
    },
    {
      line: 'if (size < least) {',
      change: '< → <=',
      because: 'what goes first, and with how much, changes only how large what is between becomes',
    },
  ],
  'src/policy/compare/restrictions.ts': [
    {
      line: 'return `mask ${field.path} ${JSON.stringify(Object.entries(field.mask).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`',
      change: '.toSorted(…) → nothing',
      because: 'a mask says one thing',
    },
    {
      line: 'return `mask ${field.path} ${JSON.stringify(Object.entries(field.mask).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`',
      change: '< → <=',
      because: 'a mask says one thing',
    },
  ],
  'src/policy/compare/statement.ts': [
    {
      line: "root === 'params' ? `segment ${names.indexOf(name) + 1}` : `${root}.${name}`,",
      change: '+ → -',
      because: 'another number, and no two places have one',
    },
    { line: 'switch (tree?.kind) {', change: '?. → .', because: 'a condition that was checked can be taken apart' },
  ],
  'src/policy/compare/replay.ts': [
    {
      line: '.toSorted((a, b) => b.requests - a.requests || (a.why < b.why ? -1 : 1)),',
      change: '< → <=',
      because: 'no two have one reason',
    },
  ],
  'src/policy/compare/render.ts': [
    { line: '.toSorted(([a], [b]) => (a < b ? -1 : 1))', change: '< → <=', because: 'no two claims have one name' },
  ],
  'src/policy/actions/sets/machine.ts': [
    {
      line: "const ANY: Characters = { key: 'any', has: () => true }",
      change: "'any' → 'all'",
      because: 'no other characters have that key',
    },
  ],
  'src/policy/actions/kubernetes/cells.ts': [
    {
      line: "{ kind: 'value', value: '', tag: 'path', meets: ({ paths }) => paths !== undefined },",
      change: 'paths !== undefined → true',
      because: 'a pattern without paths is left out where the path is cut',
    },
  ],
  'src/policy/actions/json.ts': [
    { line: "else if (json === '') break", change: 'break → ;', because: 'nothing is written of what is absent' },
  ],
  'src/policy/compare/cubes.ts': [
    {
      line: 'if (before.has(one)) continue',
      change: 'before.has(one) → false',
      because: 'what is in it already is added again, and is in it',
    },
    {
      line: 'const limiting = this.#limits.filter(({ fact, classes }) => classes.size < fact.domain.classes.length)',
      change: '< → <=',
      because: 'to be any of all classes limits nothing',
    },
    {
      line: 'for (let i = 0; i < domain.classes.length - 1; i++) if (path.has(domain.first + i)) return true',
      change: '- → +',
      because: 'what limits nothing is left out in the end',
    },
    { line: 'return false', change: 'false → true (2)', because: 'what limits nothing is left out in the end' },
  ],
  'src/policy/compare/roles.ts': [
    {
      line: 'const active = role.bindings.filter(({ until }) => until === undefined || now < until)',
      change: '< → <=',
      because: 'what ends now is held at no time from now on',
    },
    {
      line: 'const texts = [...new Set(bindings.map(text))].toSorted()',
      change: '.toSorted(…) → nothing',
      because: 'bindings come in one order, whatever the order in which they are written',
    },
  ],
}
