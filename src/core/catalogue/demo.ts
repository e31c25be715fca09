import type { CatalogueEntry } from '../errors.ts'

export const demo = {} as const satisfies Record<string, CatalogueEntry>
