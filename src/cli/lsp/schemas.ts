import { z } from 'zod'
import { environmentExtras, wiringSchema } from '../../config/schema.ts'
import { policySchema, policyTestSchema } from '../../policy/index.ts'
import { families } from '../../server/families.ts'
import type { FileKind } from './folder.ts'
import type { Path } from './names.ts'

/** The part of JSON Schema that our own schemas use. */
export interface JsonSchema {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly items?: JsonSchema
  readonly additionalProperties?: JsonSchema | boolean
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
}

const SOURCES: Readonly<Record<FileKind, () => z.ZodType>> = {
  wiring: () => wiringSchema(families),
  environment: () => wiringSchema(families).partial().extend(environmentExtras.shape),
  policy: () => policySchema,
  test: () => policyTestSchema,
}
const known = new Map<FileKind, JsonSchema>()

function schemaOf(kind: FileKind): JsonSchema {
  const made = known.get(kind) ?? (z.toJSONSchema(SOURCES[kind](), { io: 'input', unrepresentable: 'any' }) as JsonSchema)
  known.set(kind, made)
  return made
}

/**
 * The schemas of what may stand at a place: several where it may be of several kinds. `around` are the maps around it, the
 * innermost first: a resource of protocol `ssh` has no keys of the others.
 */
export function schemasAt(kind: FileKind, path: Path, around: readonly Readonly<Record<string, unknown>>[]): readonly JsonSchema[] {
  const root = schemaOf(kind)
  // A map stands around each key of the path.
  const maps = around.toReversed()
  let depth = 0
  let current = [root].flatMap((one) => arms(one, root, maps[0]))
  for (const step of path) {
    if (typeof step === 'string') depth++
    const inside = maps[depth]
    current = current
      .flatMap((one) => (typeof step === 'number' ? (one.items ?? []) : (childOf(one, step) ?? [])))
      .flatMap((one) => arms(one, root, inside))
  }
  return current
}

function childOf({ properties, additionalProperties }: JsonSchema, step: string): JsonSchema | undefined {
  if (properties !== undefined && Object.hasOwn(properties, step)) return properties[step]
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}

/** The schema itself, or those that it may be; without those that what is written already rules out. */
function arms(schema: JsonSchema, root: JsonSchema, written: Readonly<Record<string, unknown>> | undefined): readonly JsonSchema[] {
  const target = schema.$ref === undefined ? undefined : refOf(schema.$ref, root)
  if (target !== undefined)
    return arms({ ...target, ...(schema.description === undefined ? {} : { description: schema.description }) }, root, written)
  const several = schema.anyOf ?? schema.oneOf ?? schema.allOf
  if (several === undefined) return [schema]
  const { description } = schema
  const all = several.flatMap((one) =>
    arms(description === undefined || one.description !== undefined ? one : { ...one, description }, root, written),
  )
  const fitting = all.filter(({ properties }) => written === undefined || properties === undefined || fits(properties, written))
  return fitting.length === 0 ? all : fitting
}

function refOf(ref: string, root: JsonSchema): JsonSchema | undefined {
  return ref === '#' ? root : root.$defs?.[ref.replace('#/$defs/', '')]
}

function fits(properties: Readonly<Record<string, JsonSchema>>, written: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(properties).every(
    ([key, one]) => one.const === undefined || written[key] === undefined || written[key] === one.const,
  )
}
