/** Lists and watches of which the policy allows some: what is not allowed is left out; and how a watch ends whose access has ended. */
import type { KubernetesAction } from '../../core/action.ts'
import type { Admitted } from '../../core/pipeline.ts'
import type { CanonicalRequest } from '../../http/canonical.ts'
import type { Fields, ResponseFilter } from '../../http/engine.ts'
import type { ClusterRequest } from '../../kubernetes/request.ts'
import type { Cluster } from './clusters.ts'
import { errorEvent, EventBoundary } from '../../kubernetes/protobufwatch.ts'
import { endedStatus } from './ended.ts'
import { Collected, isBlank, ValueEnd } from './jsonscan.ts'
import { ListFilter } from './listfilter.ts'

/** What is shown of a list, and by whose leave. */
export interface Shown {
  readonly action: KubernetesAction
  readonly passage: Admitted
}

/** Whether less than the whole of it may be shown. A table without its objects says nothing of what is in it. */
export function filters({ config }: Cluster, { action, open }: ClusterRequest, request: CanonicalRequest): boolean {
  const { verb, subresource } = action
  if (config.lists !== 'filter' || subresource !== '' || request.upgrade !== undefined) return false
  if (verb !== 'list' && !(verb === 'watch' && open)) return false
  const asked = new URLSearchParams(request.query.slice(1))
  // What comes next in a list that somebody was given whole names the last of what came before.
  return asked.get('includeObject')?.toLowerCase() !== 'none' && (asked.get('continue') ?? '') === ''
}

/** The query of a list that is shown in part: all of it at once, since where a page ends tells of what is left out. */
export function unpaged(query: string): string {
  const pairs = query
    .slice(1)
    .split('&')
    .filter((pair) => !new URLSearchParams(pair).has('limit') && pair !== '')
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

/** What is done to an answer on its way; undefined for one that passes as it is. */
export function filterOf(
  status: number,
  fields: Fields,
  { action, open }: ClusterRequest,
  shown: Shown | undefined,
): ResponseFilter | undefined {
  const watch = action.verb === 'watch' && open
  const form = formOf(fields)
  if (shown === undefined) {
    if (status !== 200 || !watch) return undefined
    return form === 'json' ? new WholeWatch(fields) : form === 'protobuf' ? new FramedWatch(fields) : undefined
  }
  // Part of a list (206) is no document; an error has nothing of a list in it.
  if (status !== 200 && status >= 200 && status < 300) throw new Error('not the whole of it')
  if (status !== 200) return undefined
  // Anything else than JSON could not be looked into.
  if (form !== 'json') throw new Error('not JSON')
  const sent = withoutLength(fields)
  return watch ? new ShownWatch(sent, shown) : new ShownList(sent, shown)
}

/** What an answer is in that isn't compressed. */
function formOf(fields: Fields): 'json' | 'protobuf' | undefined {
  let form: 'json' | 'protobuf' | undefined
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    const value = fields[i + 1]!.trim()
    if (name === 'content-encoding' && value.toLowerCase() !== 'identity') return undefined
    if (name !== 'content-type') continue
    form = /^application\/json(?:;|$)/i.test(value) ? 'json' : PROTOBUF_WATCH.test(value) ? 'protobuf' : undefined
  }
  return form
}

const PROTOBUF_WATCH = /^application\/vnd\.kubernetes\.protobuf *; *stream=watch$/i

function withoutLength(fields: Fields): Fields {
  const kept: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    if (name !== 'content-length' && name !== 'etag') kept.push(fields[i]!, fields[i + 1]!)
  }
  return kept
}

const NEWLINE = 0x0a

/** A watch that passes as it is. The API server writes an event and its line end at once, and no other line end. */
class WholeWatch implements ResponseFilter {
  readonly fields: Fields
  #last = NEWLINE

  constructor(fields: Fields) {
    this.fields = fields
  }

  data(chunk: Buffer): Buffer {
    if (chunk.length > 0) this.#last = chunk[chunk.length - 1]!
    return chunk
  }

  end(): Buffer {
    return NOTHING
  }

  lastWords(cause: Parameters<ResponseFilter['lastWords']>[0]): Buffer | undefined {
    return this.#last === NEWLINE ? lastEvent(cause) : undefined
  }
}

/** The same in protobuf, where each event says how long it is. */
class FramedWatch implements ResponseFilter {
  readonly fields: Fields
  readonly #boundary = new EventBoundary()

  constructor(fields: Fields) {
    this.fields = fields
  }

  data(chunk: Buffer): Buffer {
    this.#boundary.feed(chunk)
    return chunk
  }

  end(): Buffer {
    return NOTHING
  }

  lastWords(cause: Parameters<ResponseFilter['lastWords']>[0]): Buffer | undefined {
    return this.#boundary.clear ? errorEvent(endedStatus(cause)) : undefined
  }
}

const NOTHING = Buffer.alloc(0)

function lastEvent(cause: Parameters<ResponseFilter['lastWords']>[0]): Buffer {
  return Buffer.from(`${JSON.stringify({ type: 'ERROR', object: endedStatus(cause) })}\n`)
}

class ShownList implements ResponseFilter {
  readonly fields: Fields
  readonly #list: ListFilter

  constructor(fields: Fields, shown: Shown) {
    this.fields = fields
    this.#list = new ListFilter((thing, place) => mayShow(place === 'rows' ? thing['object'] : thing, shown))
  }

  data(chunk: Buffer): Buffer {
    return this.#list.feed(chunk)
  }

  end(): Buffer {
    this.#list.end()
    return NOTHING
  }

  lastWords(): undefined {
    return undefined
  }
}

/** What can't be told, or has fields that would have to be masked or counted, is left out. */
function mayShow(object: unknown, { action, passage }: Shown): boolean {
  const metadata = memberOf(object, 'metadata')
  const name = memberOf(metadata, 'name')
  const namespace = memberOf(metadata, 'namespace') ?? ''
  if (typeof name !== 'string' || typeof namespace !== 'string') throw new Error('an object without a name')
  const isNamespace = action.group === '' && action.resource === 'namespaces'
  const { effect, obligations } = passage.decideAlso({ ...action, name, namespace: isNamespace ? name : namespace })
  return effect === 'allow' && obligations.every(({ kind }) => kind === 'record')
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}

/** Bytes of one event. */
const MAX_EVENT = 8 * 1024 * 1024

interface WatchEvent {
  readonly type?: unknown
  readonly object?: unknown
}

/** Events one after the other, each decided by itself. */
class ShownWatch implements ResponseFilter {
  readonly fields: Fields
  readonly #shown: Shown
  #event: { readonly end: ValueEnd; readonly bytes: Collected } | undefined
  /** Of tables, which say what their columns are in the first event alone. */
  #columns: unknown

  constructor(fields: Fields, shown: Shown) {
    this.fields = fields
    this.#shown = shown
  }

  data(chunk: Buffer): Buffer {
    const out: Buffer[] = []
    let at = 0
    while (at < chunk.length) {
      if (this.#event === undefined) {
        if (isBlank(chunk[at]!)) {
          at++
          continue
        }
        this.#event = { end: new ValueEnd(), bytes: new Collected(MAX_EVENT) }
      }
      const end = this.#event.end.feed(chunk, at)
      this.#event.bytes.add(chunk.subarray(at, end === -1 ? undefined : end))
      if (end === -1) break
      const bytes = this.#event.bytes.take()
      this.#event = undefined
      const text = this.#look(bytes)
      if (text !== undefined) out.push(text, LINE)
      at = end
    }
    return out.length === 0 ? NOTHING : Buffer.concat(out)
  }

  end(): Buffer {
    if (this.#event !== undefined) throw new SyntaxError('half an event')
    return NOTHING
  }

  /** Events are passed on whole. */
  lastWords(cause: Parameters<ResponseFilter['lastWords']>[0]): Buffer {
    return lastEvent(cause)
  }

  #look(bytes: Buffer): Buffer | undefined {
    const event = JSON.parse(bytes.toString()) as WatchEvent
    const { type, object } = event
    // They are about nothing in particular.
    if (type === 'BOOKMARK' || type === 'ERROR') return bytes
    const rows = memberOf(object, 'rows')
    // Something of a cluster's own may call itself a table as well.
    const isTable = memberOf(object, 'kind') === 'Table' && String(memberOf(object, 'apiVersion')).startsWith('meta.k8s.io/')
    if (!isTable || !Array.isArray(rows)) return mayShow(object, this.#shown) ? bytes : undefined
    const table = object as Record<string, unknown>
    const columns = table['columnDefinitions']
    const left = rows.filter((row) => mayShow(memberOf(row, 'object'), this.#shown))
    if (left.length === 0) {
      this.#columns ??= columns ?? undefined
      return undefined
    }
    const told = columns ?? this.#columns
    this.#columns = undefined
    return Buffer.from(JSON.stringify({ ...event, object: { ...table, columnDefinitions: told ?? null, rows: left } }))
  }
}

const LINE = Buffer.from('\n')
