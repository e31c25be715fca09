/** Mutants of what makes one decision that nothing tells from what is written. */
import type { Equivalents } from './index.ts'

export const DECIDING: Equivalents = {
  'src/policy/cells.ts': [
    {
      line: 'const guards = cell.guardsButFor.length > 0 ? undefined : cell.guardsByRole.roles',
      change: 'cell.guardsButFor.length > 0 → true',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'const guards = cell.guardsButFor.length > 0 ? undefined : cell.guardsByRole.roles',
      change: '> → >=',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    { line: 'const decisions = this.#decisions.push(undefined) - 1', change: '- → +', because: 'room elsewhere, and for each its own' },
    {
      line: 'return [number, decisions, guards === undefined ? BUT_FOR : guards.length, ways.length, ...(guards ?? []), ...ways]',
      change: 'guards === undefined → true',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'for (let i = 0; i < found.count; i++) cells.push(this.#at(words[found.at(i) + CELL]!))',
      change: '+ → -',
      because: 'where the first number of a record is, which is 0',
    },
    {
      line: 'for (let n = 0; n < found.count; n++) {',
      change: 'n < found.count → false',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if (guards === BUT_FOR || ways > MANY * roles.length) return undefined',
      change: 'guards === BUT_FOR || ways > MANY * roles.length → true',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if (guards === BUT_FOR || ways > MANY * roles.length) return undefined',
      change: '* → /',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'for (let at = record + LISTS; at < first; at++) if (has(roles, words[at]!)) return undefined',
      change: 'has(roles, words[at]!) → true',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'for (let at = record + LISTS; at < first; at++) if (has(roles, words[at]!)) return undefined',
      change: '+ → -',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if ((way & 1) === 0) return undefined',
      change: '(way & 1) === 0 → true',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'else if (grant.rule !== one.rule) return undefined',
      change: 'grant.rule !== one.rule → true',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if (ways === 0) continue',
      change: 'ways === 0 → true',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if (only !== -1 && grant === undefined) return undefined',
      change: 'only !== -1 && grant === undefined → true',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if (only !== -1 && grant === undefined) return undefined',
      change: '&& → ||',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if (grant !== undefined || only === -1) return grant',
      change: 'grant !== undefined || only === -1 → true',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if (grant !== undefined || only === -1) return grant',
      change: 'grant → undefined',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'const { roles, slots } = this.#at(words[record + CELL]!).rulesByRole',
      change: '+ → -',
      because: 'where the first number of a record is, which is 0',
    },
    {
      line: 'const denial = notGranted(this.#at(words[record + CELL]!).uncovered, this.#version)',
      change: '+ → -',
      because: 'where the first number of a record is, which is 0',
    },
    {
      line: 'return denial',
      change: 'denial → undefined',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'return index * 2 + (when === undefined && peer === undefined ? 1 : 0)',
      change: 'when === undefined && peer === undefined → false',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'this.#decisions[words[record + DECISIONS]!] = denial',
      change: 'this.#decisions[words[record + DECISIONS]!] = denial → ;',
      because: "what isn't remembered is made again, and made the same",
    },
    {
      line: 'this.#decisions[words[record + DECISIONS]! + 1 + way] = decision',
      change: 'this.#decisions[words[record + DECISIONS]! + 1 + way] = d… → ;',
      because: "what isn't remembered is made again, and made the same",
    },
    {
      line: 'for (let at = record + LISTS; at < first; at++) if (has(roles, words[at]!)) return undefined',
      change: '< → <=',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if (guards === BUT_FOR || ways > MANY * roles.length) return undefined',
      change: '> → >=',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    { line: 'only = record', change: 'only = record → ;', because: 'whether it is decided quickly or at length, it is decided the same' },
    {
      line: 'if (only !== -1 && grant === undefined) return undefined',
      change: '!== → ===',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'return this.#decisions[words[only + DECISIONS]!] ?? this.#deny(words, only)',
      change: 'this.#decisions[words[only + DECISIONS]!] ?? this.#deny(w… → undefined',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'return this.#decisions[words[only + DECISIONS]!] ?? this.#deny(words, only)',
      change: '?? → &&',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
  ],
  'src/policy/cell.ts': [
    {
      line: 'return isInOrder(all, compare) ? all : all.toSorted(compare)',
      change: 'isInOrder(all, compare) → true',
      because: 'what is told of the slots of one role is sorted where it is told, and what is asked for twice is the same',
    },
    {
      line: 'return isInOrder(all, compare) ? all : all.toSorted(compare)',
      change: 'isInOrder(all, compare) → false',
      because: 'what is told of the slots of one role is sorted where it is told, and what is asked for twice is the same',
    },
    {
      line: 'return isInOrder(all, compare) ? all : all.toSorted(compare)',
      change: '.toSorted(…) → nothing',
      because: 'what is told of the slots of one role is sorted where it is told, and what is asked for twice is the same',
    },
    {
      line: 'for (let i = 1; i < all.length; i++) if (compare(all[i - 1]!, all[i]!) > 0) return false',
      change: '> → >=',
      because: 'what is in order already is sorted once more, and stays as it is',
    },
    {
      line: 'const first = [...byRule].toSorted(([a], [b]) => (a < b ? -1 : 1)).slice(0, MAX_REASONS)',
      change: '< → <=',
      because: 'no two of them have one id',
    },
    {
      line: 'return a < b ? -1 : a > b ? 1 : 0',
      change: '< → <=',
      because: 'what has one id is of one statement, each of whose patterns is looked at, whichever comes first',
    },
    {
      line: 'return a < b ? -1 : a > b ? 1 : 0',
      change: '> → >=',
      because: 'what has one id is of one statement, each of whose patterns is looked at, whichever comes first',
    },
  ],
  'src/policy/decide.ts': [
    {
      line: "if (compiled.protocol !== action.protocol) return observed(compiled, resource, context, outcome('deny', NONE, NO_RULE, by.version))",
      change: 'compiled.protocol !== action.protocol → false',
      because: 'the index of another protocol finds nothing',
    },
    {
      line: 'const quick = isQuick(compiled, subject, context) ? by.cells.quickly(words, found, subject.quick!) : undefined',
      change: 'isQuick(compiled, subject, context) → false',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: 'if (quick !== undefined) return quick',
      change: 'quick !== undefined → false',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: "return decision.effect === 'deny' && decision.obligations.length > 0 ? { ...decision, obligations: NONE } : decision",
      change: "decision.effect === 'deny' && decision.obligations.length… → true",
      because: 'a copy, or no obligations where there are none',
    },
    {
      line: "return decision.effect === 'deny' && decision.obligations.length > 0 ? { ...decision, obligations: NONE } : decision",
      change: '&& → ||',
      because: 'a copy, or no obligations where there are none',
    },
    {
      line: "return decision.effect === 'deny' && decision.obligations.length > 0 ? { ...decision, obligations: NONE } : decision",
      change: '> → >=',
      because: 'a copy, or no obligations where there are none',
    },
    {
      line: 'return subject.actor === undefined ? own : chain(own, subject, (party) => decideParty(compiled, found, party, asked), asked)',
      change: 'subject.actor === undefined → false',
      because: 'a chain of one party',
    },
    {
      line: 'quick !== undefined &&',
      change: 'quick !== undefined && observedUntil === undefined && (is… → false',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: '(!scoped || identity?.scopes === undefined) &&',
      change: '|| → &&',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: '(grants === undefined || eligible.length === 0)',
      change: '|| → &&',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    { line: 'break', change: 'break → ;', because: 'nobody is kept beyond that party' },
    {
      line: 'if (foreign !== undefined && compiled.observedUntil === undefined)',
      change: 'foreign !== undefined && compiled.observedUntil === undef… → false',
      because: 'a principal of an issuer that is not accepted is denied below too',
    },
    {
      line: 'if (place.guardsByRole.roles.length > 0 || place.guardsButFor.length > 0) (guards ??= new Guards(party, asked)).look(place)',
      change: 'place.guardsByRole.roles.length > 0 || place.guardsButFor… → true',
      because: 'guardrails of none come to nothing',
    },
    {
      line: 'if (isGranted && enforced === undefined && watched === undefined && more === undefined)',
      change: 'isGranted && enforced === undefined && watched === undefi… → false',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
    {
      line: "this.#trouble({ code: 'peer-not-held', id: slot.id, role: slot.peer[0]?.role ?? '' })",
      change: '?. → .',
      because: 'a list of peers is never empty',
    },
    {
      line: 'if (troubles === undefined && party.unknown.length === 0 && uncovered.length < 2) return uncovered[0]?.uncovered ?? NO_RULE',
      change: 'troubles === undefined && party.unknown.length === 0 && u… → false',
      because: 'whether it is decided quickly or at length, it is decided the same',
    },
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
  'src/policy/quick.ts': [
    { line: 'return table', change: 'table → undefined', because: 'whether it is decided quickly or at length, it is decided the same' },
  ],
}
