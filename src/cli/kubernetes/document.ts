import { Document, isMap, isScalar, isSeq, parseAllDocuments, YAMLMap, YAMLSeq } from 'yaml'
import type { Entries, Value } from './entries.ts'
import {
  FORM,
  gatewayOf,
  INNER,
  innerOf,
  isNothing,
  isOurs,
  isPlain,
  isSame,
  MARK,
  node,
  textOf,
  unwritable,
  type Section,
} from './nodes.ts'

const MAX_TEXT = 16 * 1024 * 1024

/** An entry of that name is somebody else's. */
export interface Taken {
  readonly what: string
  readonly name: string
}

/**
 * A kubeconfig whose other entries stay as they are, with their order, their comments and whatever they hold. Scalars are texts here: what
 * another reader takes them for is not changed.
 */
export class Kubeconfig {
  readonly #document: Document
  readonly #indent: boolean

  private constructor(document: Document, indent: boolean) {
    this.#document = document
    this.#indent = indent
  }

  /** Reads a file's text, or says why it can't be changed. */
  static read(text: string): Kubeconfig | { readonly problem: string } {
    if (text.length > MAX_TEXT) return { problem: `it is longer than ${MAX_TEXT} characters` }
    const documents = parseAllDocuments(text, FORM)
    if (documents.length > 1) return { problem: 'it has several documents' }
    const document: Document = documents.at(0) ?? new Document(undefined, FORM)
    const [error] = [...document.errors, ...unwritable(document)]
    if (error !== undefined) return { problem: error.message.split('\n')[0]!.replace(/:$/, '') }
    const { contents } = document
    if (contents === null || (isScalar(contents) && contents.value === null)) {
      const comment = document.commentBefore ?? document.comment ?? ('comment' in documents ? documents.comment : null)
      const fresh = new Document({ apiVersion: 'v1', kind: 'Config' }, FORM)
      if (comment !== null) fresh.commentBefore = comment
      return new Kubeconfig(fresh, false)
    }
    if (!isMap(contents) || !isPlain(contents, 'map')) return { problem: 'it is no map' }
    const kind = contents.get('kind')
    if (kind !== undefined && kind !== 'Config') return { problem: 'its `kind` is not `Config`' }
    for (const section of ['clusters', 'contexts', 'users'] as const) {
      const node = contents.get(section, true)
      if (node !== undefined && !(isSeq(node) && isPlain(node, 'seq')) && !isNothing(node))
        return { problem: `its \`${section}\` is no list` }
    }
    return new Kubeconfig(document, /^(clusters|contexts|users):[ \t]*(#.*)?\r?\n(?:[ \t]*(#.*)?\r?\n)*[ \t]+- /m.test(text))
  }

  toString(): string {
    return this.#document.toString({ lineWidth: 0, indentSeq: this.#indent })
  }

  /** The first name that somebody else has already, or that was written for another gateway. */
  taken({ name, user }: Entries, url: string): Taken | undefined {
    const names: readonly [Section, string][] = [
      ['clusters', name],
      ['contexts', name],
      ['users', user],
    ]
    for (const [section, wanted] of names) {
      const item = this.#find(section, wanted)
      if (item !== undefined && gatewayOf(item, section) !== url) return { what: INNER[section], name: wanted }
    }
    return undefined
  }

  /** Writes the entries of one cluster, of which none may be taken. A namespace that somebody has switched to stays. */
  put({ name, user, cluster, namespace, exec }: Entries, url: string, override: { readonly namespace: string | undefined }): void {
    const mark = { extensions: [{ name: MARK, extension: { gateway: url } }] }
    const at = this.#entry('clusters', name)
    for (const [key, value] of Object.entries(cluster)) this.#set(at, key, value)
    if (!isOurs(at)) this.#set(at, 'extensions', mark.extensions)
    const context = this.#entry('contexts', name)
    const fresh = !isOurs(context)
    this.#set(context, 'cluster', name)
    this.#set(context, 'user', user)
    if (override.namespace !== undefined) this.#set(context, 'namespace', override.namespace)
    else if (fresh) this.#set(context, 'namespace', namespace)
    if (fresh) this.#set(context, 'extensions', mark.extensions)
    // Of this one nothing else is kept: what were beside it could only be another credential.
    const owner = this.#entry('users', user)
    owner.items = owner.items.filter(({ key }) => ['exec', 'extensions'].includes(textOf(key) ?? ''))
    this.#set(owner, 'exec', exec)
    if (!isOurs(owner)) this.#set(owner, 'extensions', mark.extensions)
  }

  /** Names of the contexts that were written for this gateway. */
  contexts(url: string): readonly string[] {
    return this.#items('contexts').flatMap((item) => (gatewayOf(item, 'contexts') === url ? [textOf(item.get('name')) ?? ''] : []))
  }

  /** Takes those contexts out that were written for this gateway, with what only they needed. Answers whether something was there. */
  remove(names: ReadonlySet<string>, url: string): boolean {
    const gone = this.#drop('contexts', url, (name) => names.has(name))
    if (gone === 0) return false
    const left = this.#items('contexts').map((item) => innerOf(item, 'contexts'))
    const needed = (key: string): ReadonlySet<string | undefined> => new Set(left.map((context) => textOf(context?.get(key))))
    const [clusters, users] = [needed('cluster'), needed('user')]
    this.#drop('clusters', url, (name) => names.has(name) && !clusters.has(name))
    this.#drop('users', url, (name) => !users.has(name))
    const { current } = this
    if (current !== undefined && names.has(current)) this.#set(this.#root, 'current-context', '')
    return true
  }

  get current(): string | undefined {
    const current = textOf(this.#root.get('current-context'))
    return current === '' ? undefined : current
  }

  set current(name: string) {
    this.#set(this.#root, 'current-context', name)
  }

  get #root(): YAMLMap {
    return this.#document.contents as YAMLMap
  }

  /** A map in braces is one of JSON, most likely. */
  get #json(): boolean {
    return this.#root.flow === true
  }

  #items(section: Section): readonly YAMLMap[] {
    const list = this.#root.get(section, true)
    return isSeq(list) ? list.items.filter((item) => isMap(item)) : []
  }

  #find(section: Section, name: string): YAMLMap | undefined {
    return this.#items(section).find((item) => textOf(item.get('name')) === name)
  }

  #drop(section: Section, url: string, which: (name: string) => boolean): number {
    const list = this.#root.get(section, true)
    if (!isSeq(list)) return 0
    const kept = list.items.filter((item) => !isMap(item) || gatewayOf(item, section) !== url || !which(textOf(item.get('name')) ?? ''))
    const gone = list.items.length - kept.length
    list.items = kept
    return gone
  }

  /** What the entry of that name holds; made where there is none. */
  #entry(section: Section, name: string): YAMLMap {
    const found = this.#find(section, name)
    const inner = found === undefined ? undefined : innerOf(found, section)
    if (inner !== undefined) return inner
    const there: unknown = this.#root.get(section, true)
    const list = isSeq(there) ? there : new YAMLSeq()
    if (there !== list) this.#root.set(this.#root.has(section) ? section : node(section, this.#json), list)
    if (list.items.length === 0 && !this.#json) list.flow = false
    const fresh = new YAMLMap()
    const item = new YAMLMap()
    item.set(node('name', this.#json), node(name, this.#json))
    item.set(node(INNER[section], this.#json), fresh)
    list.items.push(item)
    return fresh
  }

  #set(map: YAMLMap, key: string, value: Value): void {
    const before = map.get(key, true)
    if (value === undefined) map.delete(key)
    else if (isSame(before, value)) return
    else if (map.has(key)) map.set(key, node(value, this.#json))
    else map.set(node(key, this.#json), node(value, this.#json))
  }
}
