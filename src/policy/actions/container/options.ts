/**
 * What opens the host to a container. A rule covers only what it says that a container may have; a guardrail that says some
 * meets whatever has one of them.
 */
import { foldersAbove, matchesPath, pathCovers, pathKey, pathSet, pathsOverlap, type PathSet, ROOT } from '../sets/path.ts'
import type { Side } from '../sets/values.ts'
import { notKnown } from '../text.ts'
import type { Problem } from '../vocabulary.ts'
import { OPTIONS } from './known.ts'

export type OptionSet =
  | { readonly kind: 'word'; readonly word: string }
  /** A path of the host, mounted for reading only, or however. */
  | { readonly kind: 'mount'; readonly path: PathSet; readonly readOnly: boolean }

/** What a pattern says behind `with`: nothing, some, or `*` for all. */
export type Options = readonly OptionSet[] | 'unsaid' | 'all'

/** `privileged, mount /srv/**:ro` */
export function readOptions(text: string, side: Side): Options | Problem {
  if (text === '*') return 'all'
  const read: OptionSet[] = []
  for (const part of text.split(',').map((one) => one.trim())) {
    if (!part.startsWith('mount ')) {
      if (!OPTIONS.includes(part))
        return part.startsWith('/')
          ? { problem: `\`${part}\` is not an option`, help: `write \`mount ${part}\`` }
          : notKnown(part, 'the options', [...OPTIONS, 'mount'])
      read.push({ kind: 'word', word: part })
      continue
    }
    const [path = '', mode, ...more] = part.slice('mount '.length).split(':')
    if (more.length > 0 || (mode !== undefined && mode !== 'ro'))
      return { problem: `\`${part}\` has something behind its path`, help: 'write `:ro` for reading only, or nothing' }
    if (!path.startsWith('/') || /[^A-Za-z0-9._/*@+=-]/.test(path))
      return { problem: `\`${part}\` is not a mount`, help: 'write `mount` and a path of the host, such as `mount /srv/data/**`' }
    const paths = pathSet(path.slice(1))
    if (typeof paths === 'string') return { problem: paths }
    if (path !== '/' && paths.segments.some(({ pieces }) => ['', '.', '..'].includes(pieces.join('*'))))
      return { problem: `\`${path}\` is not canonical`, help: 'no empty segment, no `.`, no `..`, and no slash at the end' }
    // What may be written can be read: a guardrail for reading is for both.
    const readOnly = mode === 'ro' && side === 'grants'
    read.push({ kind: 'mount', path: paths, readOnly })
    // Whoever has a folder has what is in it.
    if (side === 'takes') for (const above of [ROOT, ...foldersAbove(paths)]) read.push({ kind: 'mount', path: above, readOnly })
  }
  return read
}

const MOUNT = /^mount (\/[A-Za-z0-9._/@+=-]*?)(:ro)?$/

/** Whether a text is an option of a canonical action. */
export function isOption(text: string): boolean {
  if (OPTIONS.includes(text)) return true
  const path = MOUNT.exec(text)?.[1]
  return path !== undefined && path.length <= 1024 && (path === '/' || /^(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/.test(path))
}

function hasOption(sets: readonly OptionSet[], option: string): boolean {
  const mount = MOUNT.exec(option)
  if (mount === null) return sets.some((one) => one.kind === 'word' && one.word === option)
  const [, path = '', readOnly] = mount
  return sets.some((one) => one.kind === 'mount' && (!one.readOnly || readOnly !== undefined) && matchesPath(one.path, path.slice(1)))
}

/** Whether the options of an action are those that the pattern is for. */
export function matchesOptions(options: Options, has: readonly string[], side: Side): boolean {
  if (side === 'takes')
    return typeof options === 'string' ? options === 'unsaid' || has.length > 0 : has.some((one) => hasOption(options, one))
  return options === 'all' || has.every((one) => options !== 'unsaid' && hasOption(options, one))
}

interface Sided {
  readonly side: Side
  readonly options: Options
}

/** Whether all that `b` is for is what `a` is for. */
export function optionsCover(a: Sided, b: Sided): boolean {
  if (a.side === 'grants' ? a.options === 'all' : a.options === 'unsaid') return true
  if (a.side === 'grants') {
    // What a guardrail meets always has some more.
    return (
      b.side === 'grants' && b.options !== 'all' && listOf(b.options).every((one) => listOf(a.options).some((by) => optionCovers(by, one)))
    )
  }
  // A rule, and a guardrail that says no option, is also for what has none.
  if (b.side === 'grants' || b.options === 'unsaid') return false
  return a.options === 'all' || (b.options !== 'all' && b.options.every((one) => listOf(a.options).some((by) => optionCovers(by, one))))
}

/** Whether there is something that both are for. */
export function optionsOverlap(a: Sided, b: Sided): boolean {
  if (a.side === b.side) return true
  const [grants, takes] = a.side === 'grants' ? [a.options, b.options] : [b.options, a.options]
  if (takes === 'unsaid' || grants === 'all') return true
  if (takes === 'all') return grants !== 'unsaid'
  return listOf(grants).some((one) => takes.some((other) => optionsMeet(one, other)))
}

function listOf(options: Options): readonly OptionSet[] {
  return typeof options === 'string' ? [] : options
}

function optionCovers(a: OptionSet, b: OptionSet): boolean {
  if (a.kind === 'word' || b.kind === 'word') return a.kind === 'word' && b.kind === 'word' && a.word === b.word
  return (!a.readOnly || b.readOnly) && pathCovers(a.path, b.path)
}

function optionsMeet(a: OptionSet, b: OptionSet): boolean {
  if (a.kind === 'word' || b.kind === 'word') return a.kind === 'word' && b.kind === 'word' && a.word === b.word
  return pathsOverlap(a.path, b.path)
}

export function optionsKey(options: Options): string {
  if (typeof options === 'string') return options
  return JSON.stringify(options.map((one) => (one.kind === 'word' ? one.word : `mount ${one.readOnly} ${pathKey(one.path)}`)).toSorted())
}

/** The options of an action, in their order, or what is wrong with them. */
export function readHas(texts: readonly string[]): readonly string[] | Problem {
  for (const text of texts)
    if (!isOption(text))
      return text.startsWith('mount')
        ? { problem: `\`${text}\` is not a mount`, help: 'write `mount` and a path of the host, and `:ro` for reading only' }
        : notKnown(text, 'the options', [...OPTIONS, 'mount'])
  return [...new Set(texts)].toSorted()
}
