import { isCelError, plan, type CelInput } from '@bufbuild/cel'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Action } from '../../core/action.ts'
import { UNKNOWN_IP } from '../../core/decision.ts'
import type { Claims, ClaimValue } from '../../core/principal.ts'
import type { ClaimType } from '../../config/schema.ts'
import { requestOf } from '../actions/index.ts'
import { environment } from './functions.ts'
import { parseCondition, type ParsedCondition } from './parse.ts'

/** What a condition is evaluated on. */
export interface Input {
  readonly claims: Claims
  readonly unknownClaims: ReadonlySet<string>
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly ip: string
  readonly action: Action
  /** Values of the template's parameters; undefined for one that can't be decoded. */
  readonly parameters: ReadonlyMap<string, string | undefined>
}

/** True, false, or why it can't be told. */
export type Truth = boolean | { readonly error: string }

type Evaluate = (bindings: Record<string, CelInput>) => unknown

/** A checked condition. Evaluation is bounded by its size and that of the claims, and never throws. */
export class Condition {
  readonly text: string
  /** Claims that it reads with their types, sorted. */
  readonly claims: ReadonlyMap<string, ClaimType>
  readonly usesParameters: boolean
  /** Undefined where it was checked elsewhere, and is parsed when it is first needed. */
  readonly #parsed: Pick<ParsedCondition, 'expr'> | undefined
  #evaluate: Evaluate | undefined

  constructor(
    text: string,
    parsed: Pick<ParsedCondition, 'expr'> | undefined,
    claims: ReadonlyMap<string, ClaimType>,
    usesParameters: boolean,
  ) {
    this.text = text
    this.claims = claims
    this.usesParameters = usesParameters
    this.#parsed = parsed
  }

  evaluate(input: Input): Truth {
    const claims = new Map<string, CelInput>()
    for (const [name, type] of this.claims) {
      if (input.unknownClaims.has(name)) return { error: `claim \`${name}\` can not be told` }
      const value = Object.hasOwn(input.claims, name) ? input.claims[name] : undefined
      if (value === undefined) continue
      if (!isOfType(value, type)) return { error: `claim \`${name}\` is not of its declared type` }
      claims.set(name, value)
    }
    try {
      // Planned when it is first needed: most conditions of a large policy never are.
      this.#evaluate ??= plan(environment, (this.#parsed ?? parsedAgain(this.text)).expr) as unknown as Evaluate
      const value = this.#evaluate(new Bindings(claims, input) as unknown as Record<string, CelInput>)
      if (typeof value === 'boolean') return value
      return { error: isCelError(value) ? worded(value.message) : 'it is neither true nor false' }
    } catch {
      return { error: 'it can not be evaluated' }
    }
  }
}

/** What a condition can name. Most name claims only, so the others are made when they are asked for. */
class Bindings {
  readonly claims: ReadonlyMap<string, CelInput>
  readonly #input: Input
  readonly #request: ReadonlyMap<string, CelInput> | undefined

  constructor(claims: ReadonlyMap<string, CelInput>, input: Input) {
    this.claims = claims
    this.#input = input
    // JSON that is nested too deep is an error, whether or not it is looked at.
    this.#request = input.action.protocol === 'http' ? undefined : celRequest(input.action)
  }

  get context(): ReadonlyMap<string, CelInput> {
    const context = new Map<string, CelInput>([['time', timestampFromMs(this.#input.time)]])
    // Without an address, `context.ip != 'x'` is no answer.
    if (this.#input.ip !== UNKNOWN_IP) context.set('ip', this.#input.ip)
    return context
  }

  get request(): ReadonlyMap<string, CelInput> {
    return this.#request ?? celRequest(this.#input.action)
  }

  get params(): ReadonlyMap<string, CelInput> {
    const params = new Map<string, CelInput>()
    for (const [name, value] of this.#input.parameters) if (value !== undefined) params.set(name, value)
    return params
  }
}

/** Of a text that was found right before. */
function parsedAgain(text: string): ParsedCondition {
  const parsed = parseCondition(text)
  if ('problem' in parsed) throw new Error(parsed.problem)
  return parsed
}

function celRequest(action: Action): ReadonlyMap<string, CelInput> {
  const request = requestOf(action)
  const [...values] = request.values()
  if (values.every((value) => typeof value !== 'object')) return request as ReadonlyMap<string, CelInput>
  return new Map([...request].map(([name, value]) => [name, celValue(value, 0)]))
}

/** JSON nested deeper than this is an error. */
const MAX_JSON_DEPTH = 32

/** JSON as CEL has it. An object becomes a map without a prototype to look into. */
function celValue(value: unknown, depth: number): CelInput {
  if (depth > MAX_JSON_DEPTH) throw new RangeError('nested too deep')
  if (Array.isArray(value)) return value.map((one) => celValue(one, depth + 1))
  if (typeof value === 'object' && value !== null)
    return new Map(Object.entries(value).map(([name, one]) => [name, celValue(one, depth + 1)]))
  return value as CelInput
}

/** Whether a claim's value is what its issuer declares. */
export function isOfType(value: ClaimValue, type: ClaimType): boolean {
  if (type !== 'list') return typeof value === type
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

/** The evaluator's message, fit to be shown: one line, and no value of a claim in it. */
function worded(message: string): string {
  const missing = /^field not found: (.+)$/.exec(message)
  if (missing !== null) return `there is no \`${missing[1]}\``
  if (/^index .* out of bounds/.test(message)) return 'an index is out of bounds'
  if (/divide by zero|modulus by zero/.test(message)) return 'a number is divided by zero'
  return 'a value can not be used in this way'
}
