import type { Action } from '../../core/action.ts'
import type { ActionPattern, AnyVocabulary } from './index.ts'
import { Places } from './places.ts'
import type { ActionIndex, RecordIndex } from './vocabulary.ts'

/** The patterns of one resource as an index of records. @param record Says in whole numbers what everything that stands at one place comes to. */
export function recordIndex<V>(
  { flat, index }: AnyVocabulary,
  entries: readonly (readonly [ActionPattern, V])[],
  record: (values: readonly V[]) => readonly number[],
): RecordIndex {
  if (flat !== undefined) return flat.read(flat.write(entries, record))
  const words: number[] = []
  const places = index(entries, (values: readonly V[]) => {
    const place = words.length
    for (const word of record(values)) words.push(word)
    return place
  })
  return new ListedRecords(new Int32Array(words), places)
}

class ListedRecords implements RecordIndex {
  readonly words: Int32Array
  readonly #places: ActionIndex<number>
  readonly #found = new Places()

  constructor(words: Int32Array, places: ActionIndex<number>) {
    this.words = words
    this.#places = places
  }

  look(action: Action): Places {
    this.#found.clear()
    for (const place of this.#places.find(action)) this.#found.add(place)
    return this.#found
  }
}
