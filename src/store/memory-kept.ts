import type { Kept, KeptStore } from './kept.ts'

/** What is kept by one process, gone with it: for tests, and where nothing may be written. */
export function memoryKept<T extends Kept>(): KeptStore<T> {
  const kept = new Map<string, T>()
  let version = 0
  const over = (now: number): readonly T[] => [...kept.values()].filter(({ until }) => until !== undefined && until <= now)
  return {
    async add(one, maximum, now) {
      if (kept.size - over(now).length >= maximum) return 'full'
      if (kept.has(one.id)) throw new TypeError('there is one of this name already')
      kept.set(one.id, one)
      version++
      return 'added'
    },
    list: async () => [...kept.values()].toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)),
    async remove(id) {
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
