import type { CatalogueEntry } from '../errors.ts'

export const cli = {} as const satisfies Record<string, CatalogueEntry>
