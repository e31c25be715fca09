import { cursorAt } from './cursor.ts'
import type { FileKind } from './folder.ts'
import type { Lines, Range } from './lines.ts'
import { namePlaceAt, type NameKind } from './names.ts'
import type { PlacedName, Project } from './project.ts'
import { REQUEST_FAILED, RpcError } from './rpc.ts'

export interface Location {
  readonly uri: string
  readonly range: Range
}

/** Names that stand for one thing wherever they are. */
const FOLLOWED: ReadonlySet<NameKind> = new Set(['role', 'statement', 'resource', 'issuer', 'claim'])
/** Names that are written in policy alone, so that every place of them is known. */
const RENAMED: ReadonlySet<NameKind> = new Set(['role', 'statement'])
const NAME = /^[a-z][a-z0-9-]{0,62}$/
/** Words that YAML takes for something else than text. */
const NO_TEXT: ReadonlySet<string> = new Set(['true', 'false', 'null'])

interface Target {
  readonly kind: NameKind
  readonly text: string
  readonly range: Range
}

/** The name under the cursor. */
function targetAt(kind: FileKind, lines: Lines, offset: number): Target | undefined {
  const cursor = cursorAt(lines.text, offset)
  if (cursor === undefined) return undefined
  const range = lines.rangeOf(cursor.from, cursor.to)
  const place = namePlaceAt(kind, cursor.path, cursor.at)
  if (place?.kind === 'condition') {
    const [begun] = /[\w.]*$/.exec(cursor.prefix)!
    const rest = /^\w*/.exec(cursor.whole.slice(cursor.prefix.length))![0]
    const [, claim] = /^claims\.(\w+)$/.exec(begun + rest) ?? []
    return claim === undefined ? undefined : { kind: 'claim', text: claim, range }
  }
  return place === undefined || !FOLLOWED.has(place.kind) ? undefined : { kind: place.kind, text: cursor.whole, range }
}

function* placesOf({ kind, text }: Target, project: Project): Generator<PlacedName> {
  for (const name of project.names(kind)) if (name.text === text) yield name
}

export function definitionOf(project: Project, kind: FileKind, lines: Lines, offset: number): readonly Location[] {
  const target = targetAt(kind, lines, offset)
  if (target === undefined) return []
  return [...placesOf(target, project)].filter(({ declares }) => declares).map((name) => locationOf(name, project))
}

export function referencesOf(project: Project, kind: FileKind, lines: Lines, offset: number, declarations: boolean): readonly Location[] {
  const target = targetAt(kind, lines, offset)
  if (target === undefined) return []
  return [...placesOf(target, project)].filter(({ declares }) => declarations || !declares).map((name) => locationOf(name, project))
}

/** The range of a name that can be renamed, which is one of a role or of a rule or guardrail. */
export function renamable(
  project: Project,
  kind: FileKind,
  lines: Lines,
  offset: number,
): { range: Range; placeholder: string } | undefined {
  const target = targetAt(kind, lines, offset)
  if (target === undefined || !RENAMED.has(target.kind)) return undefined
  const declared = [...placesOf(target, project)].some(({ declares }) => declares)
  return declared ? { range: target.range, placeholder: target.text } : undefined
}

/** Edits of all files. @throws RpcError where it would change what the policy says, or not every place is known */
export function rename(
  project: Project,
  kind: FileKind,
  lines: Lines,
  offset: number,
  to: string,
): { readonly changes: Readonly<Record<string, readonly unknown[]>> } {
  const fail = (message: string): never => {
    throw new RpcError(REQUEST_FAILED, message)
  }
  const target = targetAt(kind, lines, offset)
  if (target === undefined || renamable(project, kind, lines, offset) === undefined)
    return fail('only declared roles and ids of rules and guardrails can be renamed')
  if (!NAME.test(to)) return fail('write lower-case letters, digits and dashes, starting with a letter, at most 63')
  const broken = project.brokenFile()
  if (broken !== undefined) return fail(`\`${broken}\` can not be read as it is now, so not every place is known`)
  if (to === 'everyone' || to === 'authenticated') return fail(`\`${to}\` is built in`)
  if (to !== target.text && [...placesOf({ ...target, text: to }, project)].some(({ declares }) => declares))
    return fail(`\`${to}\` is declared already`)
  const changes: Record<string, unknown[]> = {}
  for (const name of placesOf(target, project)) {
    const uri = project.uriOf(name.file)
    const text = project.linesOf(name.file)
    const [from, end] = text.extentOf(name.span)
    const quote = /^['"]/.exec(text.text.slice(from, end))?.[0] ?? (NO_TEXT.has(to) ? "'" : '')
    ;(changes[uri] ??= []).push({ range: text.rangeOf(from, end), newText: `${quote}${to}${quote}` })
  }
  return { changes }
}

function locationOf(name: PlacedName, project: Project): Location {
  return { uri: project.uriOf(name.file), range: project.rangeOf(name.span) }
}
