import type { CatalogueEntry } from '../errors.ts'

export const audit = {} as const satisfies Record<string, CatalogueEntry>
