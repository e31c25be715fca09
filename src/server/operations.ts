import { spanOf, type Located } from '../config/document.ts'
import { readOperations, type OpenApiConfig, type Operation } from '../config/openapi.ts'
import type { Wiring } from '../config/schema.ts'
import type { Sources } from '../config/wiring.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'

export interface FoundOperations {
  /** By id, by resource. */
  readonly operations: ReadonlyMap<string, ReadonlyMap<string, Operation>>
  readonly diagnostics: readonly Diagnostic[]
}

/** The operations that the OpenAPI documents of resources name, so that the policy can say them by their ids. */
export function operationsOf(wiring: Wiring, root: Located | undefined, { documents = [] }: Sources): FoundOperations {
  const operations = new Map<string, ReadonlyMap<string, Operation>>()
  const diagnostics: Diagnostic[] = []
  for (const [name, resource] of Object.entries(wiring.resources)) {
    const { openapi } = resource as { readonly openapi?: string | OpenApiConfig }
    if (openapi === undefined) continue
    const { file, basePath } = typeof openapi === 'string' ? { file: openapi } : openapi
    const source = documents.find(({ path }) => path === file)
    if (source === undefined) {
      const span = root === undefined ? undefined : spanOf(root, ['resources', name, 'openapi'])
      const help = 'write a file relative to the configuration folder'
      diagnostics.push(diagnostic('config/openapi', { file, problem: 'there is no such file' }, span, { help }))
      continue
    }
    const read = readOperations(source, basePath)
    diagnostics.push(...read.diagnostics)
    operations.set(name, read.operations)
  }
  return { operations, diagnostics }
}
