import { didYouMean } from '../config/didyoumean.ts'
import { parsePattern, type HttpPattern } from './actions/http/template.ts'
import type { Parsed } from './actions/vocabulary.ts'
import type { World } from './world.ts'

/**
 * The pattern that an operation id stands for: what the OpenAPI document of the resource says. Of several resources they
 * all have to say the same, because one statement has one set of actions.
 */
export function resolveOperation(id: string, resources: readonly string[], world: World): Parsed<HttpPattern> {
  let found: { readonly pattern: HttpPattern; readonly resource: string } | undefined
  for (const resource of resources) {
    const operations = world.resources[resource]?.operations
    if (operations === undefined)
      return {
        problem: `resource \`${resource}\` has no OpenAPI document to find an operation \`${id}\` in`,
        help: 'write `openapi:` with a file on the resource, or a method and a path such as `GET /orders`',
      }
    const operation = operations.get(id)
    if (operation === undefined)
      return {
        problem: `there is no operation \`${id}\` in the OpenAPI document of resource \`${resource}\``,
        help: didYouMean(id, operations.keys()),
      }
    const { pattern, problem } = parsePattern(`${operation.method} ${operation.template}`)
    if (pattern === undefined)
      return {
        problem: `operation \`${id}\` is \`${operation.method} ${operation.template}\`: ${problem}`,
        help: 'write a method and a path instead',
      }
    if (found !== undefined && formOf(found.pattern) !== formOf(pattern))
      return {
        problem: `operation \`${id}\` is \`${found.pattern.text}\` on \`${found.resource}\` and \`${pattern.text}\` on \`${resource}\``,
        help: 'write one statement for each resource',
      }
    found ??= { pattern, resource }
  }
  if (found === undefined)
    return { problem: `no resource is selected to find an operation \`${id}\` in`, help: 'write a method and a path' }
  return { pattern: { ...found.pattern, text: id } }
}

function formOf({ method, segments, rest }: HttpPattern): string {
  return JSON.stringify([method, segments, rest])
}
