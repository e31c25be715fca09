import type { CatalogueEntry } from '../errors.ts'

export const identity = {} as const satisfies Record<string, CatalogueEntry>
