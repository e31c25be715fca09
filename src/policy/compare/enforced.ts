/**
 * Proves that what an enforcement point was told of a resource is what the policy says of it: cell by cell and class of caller by
 * class of caller, as formulas, never by sampling. What the enforcement point was told is read from what it was told, and
 * not taken from the compiler.
 *
 * What is not proven here is told apart on purpose: that each question about a token means in the enforcement point what it means in
 * `core/token.ts`, and that an issuer's form lets in only tokens that Ostiary accepts.
 */
import type { Formula, NativeIssuer } from '../../core/token.ts'
import { TooManyCells, type ActionCell } from '../actions/cells.ts'
import { httpCells } from '../actions/http/cells.ts'
import type { HttpPattern } from '../actions/http/template.ts'
import type { CompiledPolicy } from '../compiled.ts'
import { NOBODY } from '../native/native.ts'
import { TooLarge } from './bdd.ts'
import { differencesIn, type Difference } from './cellproof.ts'
import { NotComparable } from './fact.ts'
import { notUnderstood, type Side } from './formula.ts'
import { Numbers } from './roles.ts'
import { versionOf } from './version.ts'

/** What an enforcement point lets through, read back from what it was told. */
export interface Enforced {
  /** Path templates that it tells apart, by number. Their methods don't count. */
  readonly paths: readonly HttpPattern[]
  /** Methods that it tells apart. */
  readonly methods: readonly string[]
  /**
   * When it lets a request through, of a caller whose token is let in at all: those of `NativeIssuer.credential`.
   * @param form Of the caller's issuer; `NOBODY` without a credential
   * @param covering Numbers of the path templates that cover the request
   */
  readonly allows: (form: string, method: string, covering: ReadonlySet<number>) => Told
}

export interface Told {
  readonly formula: () => Formula
  /** The same only for the same formula of the same class of callers. */
  readonly key: string
}

export interface EnforcedTask {
  readonly policy: Pick<CompiledPolicy, 'model'>
  readonly resource: string
  /** Whose tokens it verifies: one form each. */
  readonly issuers: readonly NativeIssuer[]
  readonly enforced: Enforced
  /** Milliseconds since the epoch: nothing before it is looked at. */
  readonly now: number
  /** Nothing from then on is looked at either; default: everything is. */
  readonly until?: number | undefined
  /** Cells, at most. Default: 500,000. */
  readonly maxCells?: number
  /** Nodes of the formulas of one cell, at most. Default: 1,000,000. */
  readonly maxNodes?: number
}

/** A request that is decided otherwise. */
export interface Counterexample extends Difference {
  /** The cell: a method and a path, as a pattern says it. */
  readonly actions: string
}

export interface EnforcedProof {
  readonly cells: number
  /** How many formulas were compared: cells by classes of callers. */
  readonly comparisons: number
  /** One of each cell and class of callers, the first hundred. */
  readonly counterexamples: readonly Counterexample[]
  /** Why it is not proven, where it isn't; then what is missing in `counterexamples` says nothing. */
  readonly notProven: readonly string[]
}

/** Counter-examples that are told, at most. */
const MAX_TOLD = 100

/** Cells that no template covers are cells all the same. */
const ANYTHING: HttpPattern = { protocol: 'http', text: '* /**', method: '*', segments: [], rest: true, parameters: [] }

export function proveEnforced(task: EnforcedTask): EnforcedProof {
  const { policy, resource, enforced, now, until, maxCells = 500_000, maxNodes = 1_000_000 } = task
  const { world, scopes } = policy.model
  const numbers = new Numbers()
  const { roles, byResource } = versionOf(policy, now, numbers)
  const coverings = [
    ...(byResource.get(resource) ?? []).flatMap((statement) =>
      statement.actions.map(({ pattern }) => ({ pattern, statement, scope: undefined })),
    ),
    ...[...(scopes.get(resource) ?? [])].flatMap(([scope, patterns]) =>
      patterns.map((pattern) => ({ pattern, statement: undefined, scope })),
    ),
  ]
  const patterns = [...coverings.map(({ pattern }) => pattern), ...enforced.paths.map((path) => ({ ...path, method: '*' }))]
  const methods = enforced.methods.map((method) => ({ ...ANYTHING, method }))
  const notProven = new Set<string>()
  const counterexamples: Counterexample[] = []
  let cells = 0
  let comparisons = 0
  if (!patterns.every((one): one is HttpPattern => one.protocol === 'http'))
    return { cells, comparisons, counterexamples, notProven: ['it speaks more than http'] }
  const classes: readonly (NativeIssuer | undefined)[] = [undefined, ...task.issuers]
  // Cells of which both say the same are alike, unless a condition looks at the request.
  const known = new Map<string, readonly Difference[]>()
  const sides = new Map<string, Side>()
  try {
    for (const cell of httpCells([...patterns, ...methods, ANYTHING], { named: () => undefined, wants: () => true, most: maxCells })) {
      cells++
      const covering = new Set(
        cell.covering.flatMap((number) => (number < coverings.length || number >= patterns.length ? [] : [number - coverings.length])),
      )
      const statements = new Map(
        cell.covering.flatMap((number) => (coverings[number]?.statement === undefined ? [] : [[coverings[number].statement, number]])),
      )
      // As far as can be said without a look into it.
      const looks = [...statements.keys()].some(({ when }) => when !== undefined && /\b(?:request|params)\b/.test(when.text))
      const scopesHere = [...new Set(cell.covering.flatMap((number) => coverings[number]?.scope ?? []))].toSorted()
      const meant = JSON.stringify([
        [...statements.keys()].map((one) => numbers.of(`${one.kind} ${one.id}`)).toSorted((one, other) => one - other),
        scopesHere,
      ])
      let side = sides.get(meant)
      if (side === undefined) {
        side = {
          world,
          roles,
          resource: world.resources[resource],
          statements: [...statements].map(([statement, pattern]) => ({ statement, pattern })),
          scopes: scopesHere,
        }
        sides.set(meant, side)
        const unclear = notUnderstood(side)
        if (unclear !== undefined) notProven.add(unclear)
      }
      for (const method of methodsIn(cell)) {
        const found = classes.flatMap((issuer) => {
          const form = issuer?.form ?? NOBODY
          const { formula, key } = enforced.allows(form, method, covering)
          const name = JSON.stringify([form, meant, key, looks ? cells : 0])
          let differences = known.get(name)
          if (differences === undefined) {
            comparisons++
            try {
              differences = differencesIn(side, cell, issuer, { now, until }, maxNodes, formula())
            } catch (error) {
              if (!(error instanceof NotComparable) && !(error instanceof TooLarge) && !(error instanceof RangeError)) throw error
              notProven.add(error instanceof RangeError ? 'a formula is nested too deep' : error.message)
              differences = []
            }
            known.set(name, differences)
          }
          return differences
        })
        for (const one of found)
          if (counterexamples.length < MAX_TOLD) counterexamples.push({ ...one, actions: cell.text.replace(/^[^ ]+/, method) })
      }
    }
  } catch (error) {
    if (!(error instanceof TooManyCells) && !(error instanceof NotComparable)) throw error
    notProven.add(error instanceof TooManyCells ? 'its patterns overlap in too many ways: not all of them were looked at' : error.message)
  }
  return { cells, comparisons, counterexamples, notProven: [...notProven] }
}

/** Methods that stand for all of a cell: where it is of `GET`, `HEAD` is decided by the same rules and may be told apart. */
function methodsIn(cell: ActionCell): readonly string[] {
  const action = cell.action(new Map())
  if (action?.protocol !== 'http') throw new NotComparable('there is no request of a cell')
  return action.method === 'GET' && cell.has({ ...action, method: 'HEAD' }) ? ['GET', 'HEAD'] : [action.method]
}
