import type { CatalogueEntry } from '../errors.ts'

export const policy = {} as const satisfies Record<string, CatalogueEntry>
