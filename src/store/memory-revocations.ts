import type { RevocationStore, StoredRevocation } from './revocations.ts'

/** Revocations of one process, gone with it: for tests, and where nothing may be written. */
export function memoryRevocations(): RevocationStore {
  const kept = new Map<string, StoredRevocation>()
  let version = 0
  const over = (now: number): readonly StoredRevocation[] => [...kept.values()].filter(({ until }) => until !== undefined && until <= now)
  return {
    async add(revocation, maximum, now) {
      if (kept.size - over(now).length >= maximum) return 'full'
      if (kept.has(revocation.id)) throw new TypeError('a revocation of this name is there already')
      kept.set(revocation.id, revocation)
      version++
      return 'added'
    },
    list: async () => [...kept.values()].toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)),
    async lift(id) {
      version++
      return kept.delete(id)
    },
    async sweep(now) {
      const gone = over(now)
      for (const { id } of gone) kept.delete(id)
      if (gone.length > 0) version++
      return gone.length
    },
    version: async () => version,
    close: async () => undefined,
  }
}
