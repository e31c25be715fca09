import { ALL, type ContainerAction } from '../../../core/action.ts'
import { fieldOf } from '../celltext.ts'
import { formOf } from '../sets/form.ts'
import { globMachine, literalMachine, mountMachine, pathMachine } from '../sets/machine.ts'
import { valuesNeed } from '../sets/needs.ts'
import type { Language } from '../sets/partition.ts'
import type { SetNeed } from '../sets/sets.ts'
import { meetsValue } from '../sets/values.ts'
import type { CellText, Choice, Space, Step } from '../space.ts'
import { isCanonical } from './canonical.ts'
import { OF_CONTAINERS, OF_NEITHER, OPERATIONS, OPTIONS, WITH_OPTIONS } from './known.ts'
import type { OptionSet } from './options.ts'
import type { ContainerPattern } from './template.ts'

/** A host that can't be taken for a part of a path, and parts. */
const REPOSITORIES = formOf(
  /(?:localhost|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?:[0-9]{1,5}|[a-z0-9][a-z0-9.-]*\.(?:[a-z0-9.-]*[a-z0-9])|\[[0-9a-f]*:[0-9a-f:]*\]|\[[0-9a-f:]+\]:[0-9]{1,5})(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+/,
  255,
)
const VERSIONS = formOf(/:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64}/, 129)
const NAMES = formOf(/[A-Za-z0-9][A-Za-z0-9_.-]*/, 254)
const SEGMENT = String.raw`(?:[A-Za-z0-9_@+=-]|\.[A-Za-z0-9_@+=-]|\.\.[A-Za-z0-9._@+=-])[A-Za-z0-9._@+=-]*`
const ONE_OPTION = formOf(new RegExp(String.raw`${OPTIONS.join('|')}|mount (?:\/|(?:\/${SEGMENT})+)(?::ro)?`), 1033)

type Pattern = ContainerPattern

const kindOf = (operation: string): string =>
  OF_NEITHER.includes(operation) ? 'neither' : OF_CONTAINERS.includes(operation) ? 'container' : 'image'

const OPERATION: Step<Pattern> = {
  field: 'operation',
  choices: OPERATIONS.map((value) => ({
    kind: 'value',
    value,
    tag: `${kindOf(value)}${WITH_OPTIONS.has(value) ? ' with' : ''}`,
    meets: ({ operations }) => operations.has(value),
  })),
}

/** What can't be told is met by every guardrail. */
const meetsAll =
  (of: (pattern: Pattern) => unknown) =>
  (pattern: Pattern): boolean =>
    of(pattern) === undefined || pattern.side === 'takes'
const repositories = ({ images }: Pattern) => images.repositories
const versions = ({ images }: Pattern) => images.versions

const REPOSITORY: Step<Pattern> = {
  field: 'repository',
  choices: [
    { kind: 'value', value: ALL, tag: 'all', meets: meetsAll(repositories) },
    {
      kind: 'texts',
      form: REPOSITORIES,
      needs: ({ images: { repositories: of } }) => (of === undefined ? [] : [{ machines: [pathMachine(of)], every: false }]),
    },
  ],
}
const NO_REPOSITORY: Step<Pattern> = {
  field: 'repository',
  choices: [{ kind: 'value', value: '', meets: (pattern) => repositories(pattern) === undefined }],
}
const ALL_VERSIONS: Choice<Pattern> = { kind: 'value', value: ALL, meets: meetsAll(versions) }
const VERSION: Step<Pattern> = {
  field: 'version',
  choices: [
    ALL_VERSIONS,
    {
      kind: 'texts',
      form: VERSIONS,
      needs: ({ images: { versions: of } }) => (of === undefined ? [] : [{ machines: [globMachine(of)], every: false }]),
    },
  ],
}
const VERSION_OF_ALL: Step<Pattern> = { field: 'version', choices: [ALL_VERSIONS] }
const NO_VERSION: Step<Pattern> = {
  field: 'version',
  choices: [{ kind: 'value', value: '', meets: (pattern) => versions(pattern) === undefined }],
}
const named = (value: string): Choice<Pattern> => ({ kind: 'value', value, meets: ({ names, side }) => meetsValue(names, value, side) })
const NAME: Step<Pattern> = {
  field: 'name',
  choices: [named(ALL), { kind: 'texts', form: NAMES, needs: ({ names }) => valuesNeed(names) }],
}
const NO_NAME: Step<Pattern> = { field: 'name', choices: [named('')] }

function optionLanguage(sets: readonly OptionSet[]): Language {
  return {
    machines: sets.map((one) => (one.kind === 'word' ? literalMachine(one.word) : mountMachine(one.path, one.readOnly))),
    every: false,
  }
}

/** A rule is for what has nothing else; a guardrail for what has any of it. */
function optionsNeed({ options, side }: Pattern): SetNeed {
  if (side === 'takes') {
    if (typeof options === 'string') return { of: options === 'unsaid' ? 'any' : 'some' }
    return { of: 'touched', language: optionLanguage(options) }
  }
  if (options === 'all') return { of: 'any' }
  return options === 'unsaid' ? { of: 'none' } : { of: 'inside', language: optionLanguage(options) }
}

const OPTION_SETS: Step<Pattern> = {
  field: 'options',
  choices: [
    { kind: 'sets', form: ONE_OPTION, needs: optionsNeed, language: (text) => ({ machines: [literalMachine(text)], every: false }) },
  ],
}
/** Of what can have none, there is the empty set. */
const NO_OPTIONS: Step<Pattern> = {
  field: 'options',
  choices: [
    {
      kind: 'sets',
      form: formOf(/[^\s\S]/, 0),
      needs: optionsNeed,
      language: (text) => ({ machines: [literalMachine(text)], every: false }),
    },
  ],
}

export const space: Space<ContainerAction, Pattern> = {
  next: (tags) => {
    const kind = tags.get('operation')
    if (kind === undefined) return OPERATION
    const neither = kind.startsWith('neither')
    if (!tags.has('repository')) return neither ? NO_REPOSITORY : REPOSITORY
    if (!tags.has('version')) return neither ? NO_VERSION : tags.get('repository') === 'all' ? VERSION_OF_ALL : VERSION
    if (!tags.has('name')) return kind.startsWith('container') ? NAME : NO_NAME
    if (tags.has('options')) return undefined
    return kind.endsWith(' with') ? OPTION_SETS : NO_OPTIONS
  },
  valueOf: (action, field) => action[field as Exclude<keyof ContainerAction, 'protocol'>],
  action: ({ text, texts }) => ({
    protocol: 'container',
    operation: text('operation'),
    repository: text('repository'),
    version: text('version'),
    name: text('name'),
    options: texts('options'),
  }),
  isCanonical,
  first: 'operation',
  rest: (cell) => {
    const image = imageOf(cell)
    const name = fieldOf(cell, 'name', (text) => `named ${text}`)
    const unnamed = cell.values('name').includes(ALL)
    const named = name === '' || (name === ALL && unnamed) ? '' : ` named ${name}${unnamed ? ' or not known by name' : ''}`
    const options = cell.said('options')
    return `${image}${named}${options === undefined ? '' : ` with ${options}`}`
  },
}

function imageOf(cell: CellText): string {
  if (cell.tag('operation').startsWith('neither')) return ''
  if (cell.tag('repository') === 'all') return ' of images that can not be told'
  const repository = fieldOf(cell, 'repository')
  const version = fieldOf(cell, 'version')
  const untold = cell.values('version').includes(ALL)
  if (version === '') return ` ${repository} of versions that can not be told`
  return ` ${repository}${version === ALL && untold ? '' : `${version === ALL ? ':*' : version}${untold ? ' or of versions that can not be told' : ''}`}`
}
