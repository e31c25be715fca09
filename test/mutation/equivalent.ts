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
}
