import type { CatalogueEntry } from '../errors.ts'

export const http = {} as const satisfies Record<string, CatalogueEntry>
