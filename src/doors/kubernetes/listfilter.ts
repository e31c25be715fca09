/** Leaves out of a list or a table what is not allowed, as it passes: one thing is held at a time. */
import { Collected, isBlank, ValueEnd } from './jsonscan.ts'

/** Where a thing is: in a list, or in a table, whose rows have it in them. */
export type Place = 'items' | 'rows'

/** Whether a thing may be shown. @throws where it can't be told what it is */
export type Show = (thing: Readonly<Record<string, unknown>>, place: Place) => boolean

/** Bytes of one thing: more than etcd keeps. */
const MAX_THING = 8 * 1024 * 1024
/** What lists and tables say besides their things, and can be told of all of them. In anything else there might be things, too. */
const OF_ALL: ReadonlySet<string> = new Set(['kind', 'apiVersion', 'metadata', 'columnDefinitions'])

const NOTHING = Buffer.alloc(0)

type State =
  | 'start'
  /** In front of a key, or of the end. */
  | 'key'
  | 'in-key'
  | 'colon'
  | 'value'
  /** In a value that passes, or one that is looked at whole. */
  | 'in-value'
  | 'things'
  | 'in-thing'
  | 'over'

/** A document of one object, with things in `items` or `rows`. What it can't read, it throws at. */
export class ListFilter {
  readonly #show: Show
  #state: State = 'start'
  #end = new ValueEnd()
  #collected: Collected | undefined
  #key = new Collected(4096)
  #name = ''
  #shown = 0
  #out: Buffer[] = []

  constructor(show: Show) {
    this.#show = show
  }

  /** What may be passed on of it. */
  feed(chunk: Buffer): Buffer {
    let at = 0
    while (at < chunk.length) at = this.#step(chunk, at)
    const out = this.#out
    this.#out = []
    return out.length === 0 ? NOTHING : Buffer.concat(out)
  }

  /** @throws where the document isn't whole */
  end(): void {
    if (this.#state !== 'over') throw new SyntaxError('half a document')
  }

  #step(chunk: Buffer, at: number): number {
    const byte = chunk[at]!
    switch (this.#state) {
      case 'start':
        if (isBlank(byte)) return at + 1
        if (byte !== 0x7b) throw new SyntaxError('no object')
        return this.#say(chunk, at, 'key')
      case 'key':
        if (isBlank(byte) || byte === 0x2c) return this.#say(chunk, at, 'key')
        if (byte === 0x7d) return this.#say(chunk, at, 'over')
        if (byte !== 0x22) throw new SyntaxError('no key')
        this.#end = new ValueEnd()
        this.#key = new Collected(4096)
        this.#state = 'in-key'
        return at
      case 'in-key': {
        const end = this.#end.feed(chunk, at)
        const bytes = chunk.subarray(at, end === -1 ? undefined : end)
        this.#key.add(bytes)
        this.#out.push(bytes)
        if (end === -1) return chunk.length
        this.#name = JSON.parse(this.#key.take().toString()) as string
        this.#state = 'colon'
        return end
      }
      case 'colon':
        if (isBlank(byte)) return at + 1
        if (byte !== 0x3a) throw new SyntaxError('no colon')
        return this.#say(chunk, at, 'value')
      case 'value':
        if (isBlank(byte)) return at + 1
        if (isPlace(this.#name)) {
          // None at all is `null`.
          if (byte !== 0x5b && byte !== 0x6e) throw new SyntaxError('things that are no list')
          if (byte === 0x5b) {
            this.#shown = 0
            return this.#say(chunk, at, 'things')
          }
        } else if (!OF_ALL.has(this.#name)) throw new SyntaxError('a member that no list has')
        this.#end = new ValueEnd()
        // What says how many more there are is of the whole list.
        this.#collected = this.#name === 'metadata' ? new Collected(MAX_THING) : undefined
        this.#state = 'in-value'
        return at
      case 'in-value': {
        const end = this.#end.feed(chunk, at)
        const bytes = chunk.subarray(at, end === -1 ? undefined : end)
        if (this.#collected === undefined) this.#out.push(bytes)
        else this.#collected.add(bytes)
        if (end === -1) return chunk.length
        if (this.#collected !== undefined) this.#out.push(uncounted(this.#collected.take()))
        this.#state = 'key'
        return end
      }
      case 'things':
        if (isBlank(byte) || byte === 0x2c) return at + 1
        if (byte === 0x5d) return this.#say(chunk, at, 'key')
        this.#end = new ValueEnd()
        this.#collected = new Collected(MAX_THING)
        this.#state = 'in-thing'
        return at
      case 'in-thing': {
        const end = this.#end.feed(chunk, at)
        this.#collected!.add(chunk.subarray(at, end === -1 ? undefined : end))
        if (end === -1) return chunk.length
        this.#thing(this.#collected!.take())
        this.#state = 'things'
        return end
      }
      case 'over':
        if (isBlank(byte)) return this.#say(chunk, at, 'over')
        throw new SyntaxError('more than one document')
    }
  }

  #say(chunk: Buffer, at: number, next: State): number {
    this.#out.push(chunk.subarray(at, at + 1))
    this.#state = next
    return at + 1
  }

  #thing(bytes: Buffer): void {
    const thing: unknown = JSON.parse(bytes.toString())
    if (typeof thing !== 'object' || thing === null || Array.isArray(thing)) throw new SyntaxError('a thing that is no object')
    if (!this.#show(thing as Record<string, unknown>, this.#name as Place)) return
    if (this.#shown++ > 0) this.#out.push(COMMA)
    this.#out.push(bytes)
  }
}

function isPlace(name: string): name is Place {
  return name === 'items' || name === 'rows'
}

const COMMA = Buffer.from(',')

/** Without the number of things that are still to come, which tells of those that are left out. */
function uncounted(bytes: Buffer): Buffer {
  const metadata = JSON.parse(bytes.toString()) as Record<string, unknown> | null
  if (metadata === null || typeof metadata !== 'object') return bytes
  // Nobody asked for a page; and where one ends names what may not be shown.
  if (Object.hasOwn(metadata, 'continue') && metadata['continue'] !== '') throw new SyntaxError('a list that goes on')
  if (!Object.hasOwn(metadata, 'remainingItemCount')) return bytes
  const { remainingItemCount: _, ...rest } = metadata
  return Buffer.from(JSON.stringify(rest))
}
