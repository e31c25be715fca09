import type { CatalogueEntry } from '../errors.ts'

export const server = {} as const satisfies Record<string, CatalogueEntry>
