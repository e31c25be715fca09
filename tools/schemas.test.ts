/** What editors show of the schemas: every property says what it is, and the main ones how it is written. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

interface Schema {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Schema>>
  readonly description?: string
  readonly examples?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
}

interface Property {
  /** `rules[].actions`; `*` is any name. */
  readonly path: string
  readonly schema: Schema
}

function properties(name: string): readonly Property[] {
  const root = JSON.parse(readFileSync(join(import.meta.dirname, `../schemas/${name}.json`), 'utf8')) as Schema
  const found: Property[] = []
  const visit = (node: Schema, path: string): void => {
    for (const option of [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])]) visit(option, path)
    if (node.items !== undefined) visit(node.items, `${path}[]`)
    if (typeof node.additionalProperties === 'object') visit(node.additionalProperties, path === '' ? '*' : `${path}.*`)
    for (const [key, schema] of Object.entries(node.properties ?? {})) {
      const here = path === '' ? key : `${path}.${key}`
      found.push({ path: here, schema })
      visit(schema, here)
    }
    for (const [key, schema] of Object.entries(node.$defs ?? {})) visit(schema, key)
  }
  visit(root, '')
  return found
}

const WITH_EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  policy: [
    'roles.*.bind[].issuer',
    'roles.*.bind[].claim',
    'roles.*.bind[].any',
    'rules[].id',
    'rules[].role',
    'rules[].resource',
    'rules[].actions',
    'rules[].when',
    'guardrails[].id',
    'guardrails[].deny',
    'guardrails[].require.network',
    'guardrails[].require.justification.matches',
    'guardrails[].mask',
    'guardrails[].limit.in',
    'guardrails[].for',
    'guardrails[].allBut',
    'guardrails[].until',
  ],
  'policy-test': ['tests[].does', 'tests[].because'],
  ostiary: [
    'issuers.*.audiences',
    'issuers.*.stepUp.mfa.claim',
    'resources.*.hosts',
    'resources.*.labels',
    'resources.*.upstream.url',
    'resources.*.routes[].path',
    'doors.http.listen[].address',
  ],
  environment: [],
}

for (const [name, wanted] of Object.entries(WITH_EXAMPLES))
  describe(`schemas/${name}.json`, () => {
    const all = properties(name)

    test('every property says what it is', () =>
      assert.deepEqual(
        all.filter(({ schema }) => (schema.description ?? '') === '' && schema.$ref === undefined).map(({ path }) => path),
        [],
      ))

    test('the main ones have examples', () => {
      for (const path of wanted) {
        const found = all.filter((one) => one.path === path)
        assert.ok(found.length > 0, `there is no ${path}`)
        assert.ok(
          found.some(({ schema }) => (schema.examples ?? []).length > 0),
          `${path} has no example`,
        )
      }
    })
  })
