import { ALL, type KubernetesAction } from '../../../core/action.ts'
import { fieldOf } from '../celltext.ts'
import { formOf } from '../sets/form.ts'
import { literalMachine, pathMachine } from '../sets/machine.ts'
import { valuesNeed, wordsNeed } from '../sets/needs.ts'
import type { Language } from '../sets/partition.ts'
import { meetsValue, type Values } from '../sets/values.ts'
import { hasWord, type Words } from '../sets/words.ts'
import type { CellText, Choice, Space, Step } from '../space.ts'
import { isCanonical } from './canonical.ts'
import { OF_ONE, PATH_VERBS, STREAMS, VERBS } from './known.ts'
import type { KubernetesPattern } from './template.ts'

const WORDS = formOf(/[a-z][a-z0-9-]*/, 63)
const GROUPS = formOf(/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/, 253)
const NAMESPACES = formOf(/[a-z0-9](?:[a-z0-9-]*[a-z0-9])?/, 63)
const NAMES = formOf(/[A-Za-z0-9_:@~+=-][A-Za-z0-9._:@~+=-]*|\.[A-Za-z0-9_:@~+=-][A-Za-z0-9._:@~+=-]*|\.\.[A-Za-z0-9._:@~+=-]+/, 253)
const SEGMENT = String.raw`(?:[A-Za-z0-9\-_~!$&'()+,;=:@]|\.[A-Za-z0-9\-_~!$&'()+,;=:@]|\.\.[A-Za-z0-9\-._~!$&'()+,;=:@])[A-Za-z0-9\-._~!$&'()+,;=:@]*`
const PATHS = formOf(new RegExp(String.raw`\/(?:${SEGMENT}\/)*(?:${SEGMENT})?`), 4096)

type Pattern = KubernetesPattern
/** Of a pattern for resources; a pattern for paths is for none. */
const ofResource =
  (meets: (pattern: Pattern) => boolean) =>
  (pattern: Pattern): boolean =>
    pattern.paths === undefined && meets(pattern)
const needsOf =
  (needs: (pattern: Pattern) => readonly Language[]) =>
  (pattern: Pattern): readonly Language[] | undefined =>
    pattern.paths === undefined ? needs(pattern) : undefined

function word(value: string, of: (pattern: Pattern) => Words, tag = ''): Choice<Pattern> {
  return { kind: 'value', value, tag, meets: ofResource((pattern) => hasWord(of(pattern), value)) }
}

function value(text: string, of: (pattern: Pattern) => Values): Choice<Pattern> {
  return { kind: 'value', value: text, meets: ofResource((pattern) => meetsValue(of(pattern), text, pattern.side)) }
}

const resources = ({ resources: of }: Pattern): Words => of
const groups = ({ groups: of }: Pattern): Words => of
const subresources = ({ subresources: of }: Pattern): Words => of
const verbs = ({ verbs: of }: Pattern): Words => of
const namespaces = ({ namespaces: of }: Pattern): Values => of
const names = ({ names: of }: Pattern): Values => of

/** What it is: a path, or a resource, of which those called `namespaces` are looked at closer. */
const RESOURCE: Step<Pattern> = {
  field: 'resource',
  choices: [
    { kind: 'value', value: '', tag: 'path', meets: ({ paths }) => paths !== undefined },
    word('namespaces', resources, 'namespaces'),
    { kind: 'texts', form: WORDS, but: [literalMachine('namespaces')], quiet: true, needs: needsOf((one) => wordsNeed(one.resources)) },
  ],
}
const PATH_VERB: Step<Pattern> = {
  field: 'verb',
  choices: PATH_VERBS.map((verb) => ({ kind: 'value', value: verb, meets: (pattern) => hasWord(pattern.verbs, verb) })),
}
const PATH: Step<Pattern> = {
  field: 'path',
  choices: [{ kind: 'texts', form: PATHS, needs: ({ paths }) => paths && [{ machines: [pathMachine(paths, '/')], every: false }] }],
}
const groupStep = (core: string): Step<Pattern> => ({
  field: 'group',
  choices: [word('', groups, core), { kind: 'texts', form: GROUPS, needs: needsOf((one) => wordsNeed(one.groups)) }],
})
const GROUP = groupStep('')
const GROUP_OF_NAMESPACES = groupStep('core')
const SUBRESOURCE: Step<Pattern> = {
  field: 'subresource',
  choices: [
    word('', subresources),
    ...[...STREAMS].map((one) => word(one, subresources, 'stream')),
    {
      kind: 'texts',
      form: WORDS,
      but: [...STREAMS].map(literalMachine),
      quiet: true,
      needs: needsOf((one) => wordsNeed(one.subresources)),
    },
  ],
}
const VERB: Step<Pattern> = { field: 'verb', choices: VERBS.map((verb) => word(verb, verbs, OF_ONE.has(verb) ? 'one' : '')) }
/** Ways into a container are always `create`. */
const STREAM_VERB: Step<Pattern> = { field: 'verb', choices: [word('create', verbs)] }
const NAMESPACE: Step<Pattern> = {
  field: 'namespace',
  choices: [
    value('', namespaces),
    value(ALL, namespaces),
    { kind: 'texts', form: NAMESPACES, needs: needsOf((one) => valuesNeed(one.namespaces)) },
  ],
}
const ONE_NAME: Choice<Pattern> = { kind: 'texts', form: NAMES, needs: needsOf((one) => valuesNeed(one.names)) }
const NAME: Step<Pattern> = { field: 'name', choices: [value(ALL, names), ONE_NAME] }
const NAME_OF_ONE: Step<Pattern> = { field: 'name', choices: [ONE_NAME] }
/** A namespace is in itself. */
const ONE_NAMESPACE: Choice<Pattern> = {
  kind: 'texts',
  form: NAMESPACES,
  tag: 'one',
  needs: needsOf((one) => [...valuesNeed(one.names), ...valuesNeed(one.namespaces)]),
}
const NAMESPACE_NAME_OF_ONE: Step<Pattern> = { field: 'name', choices: [ONE_NAMESPACE] }
const NAMESPACE_NAME: Step<Pattern> = {
  field: 'name',
  choices: [
    {
      kind: 'value',
      value: ALL,
      meets: ofResource((one) => meetsValue(one.names, ALL, one.side) && meetsValue(one.namespaces, '', one.side)),
    },
    ONE_NAMESPACE,
  ],
}

export const space: Space<KubernetesAction, Pattern> = {
  next: (tags) => {
    const resource = tags.get('resource')
    if (resource === undefined) return RESOURCE
    if (resource === 'path') return tags.has('verb') ? (tags.has('path') ? undefined : PATH) : PATH_VERB
    if (!tags.has('group')) return resource === 'namespaces' ? GROUP_OF_NAMESPACES : GROUP
    if (!tags.has('subresource')) return SUBRESOURCE
    if (!tags.has('verb')) return tags.get('subresource') === 'stream' ? STREAM_VERB : VERB
    const one = tags.get('verb') === 'one'
    if (areNamespaces(tags)) return tags.has('name') ? undefined : one ? NAMESPACE_NAME_OF_ONE : NAMESPACE_NAME
    if (!tags.has('namespace')) return NAMESPACE
    return tags.has('name') ? undefined : one ? NAME_OF_ONE : NAME
  },
  valueOf: (action, field) => action[field as Exclude<keyof KubernetesAction, 'protocol'>],
  action: ({ text }) => {
    const [verb, group, resource, subresource, name, path] = ['verb', 'group', 'resource', 'subresource', 'name', 'path'].map(text)
    const inItself = group === '' && resource === 'namespaces'
    const namespace = inItself ? (name === ALL ? '' : name!) : text('namespace')
    return {
      protocol: 'kubernetes',
      verb: verb!,
      group: group!,
      resource: resource!,
      subresource: subresource!,
      namespace,
      name: name!,
      path: path!,
    }
  },
  isCanonical,
  input: (name, tags) => {
    if (name === 'namespace' && areNamespaces(tags)) return tags.get('name') === 'one' ? { as: 'name' } : { kind: 'fixed', value: '' }
    // Of a path, all else is empty.
    const isField = ['group', 'resource', 'subresource', 'namespace', 'name', 'path'].includes(name)
    return isField && !tags.has(name) ? { kind: 'fixed', value: '' } : undefined
  },
  first: 'verb',
  rest: (cell) => {
    if (cell.tag('resource') === 'path') return ` ${fieldOf(cell, 'path')}`
    const of = what(cell)
    const name = fieldOf(cell, 'name')
    return ` ${of}${name === ALL || name === '' ? '' : ` ${name}`}${where(cell)}`
  },
}

function areNamespaces(tags: ReadonlyMap<string, string>): boolean {
  return tags.get('resource') === 'namespaces' && tags.get('group') === 'core'
}

/** `pods/exec`, `deployments.apps`, `*` */
function what(cell: CellText): string {
  const resource = fieldOf(cell, 'resource')
  const group = fieldOf(cell, 'group')
  const sub = fieldOf(cell, 'subresource')
  const core = cell.values('group').includes('')
  const of = group === '' || (group === ALL && core && resource === ALL) ? (resource === ALL && group === '' ? '.core' : '') : `.${group}`
  const bare = cell.values('subresource').includes('')
  if (sub === '' || (bare && sub === ALL && resource === ALL)) return `${resource}${of}`
  return `${bare ? `${resource}${of},` : ''}${resource}${of}/${sub}`
}

function where(cell: CellText): string {
  const values = cell.values('namespace')
  const named = fieldOf(cell, 'namespace', (text) => `-n ${text}`)
  if (named === ALL) return values.length === 2 ? '' : ` -n ${named}`
  const all = values.includes(ALL) ? '-A' : ''
  const in_ = named === '' ? '' : `-n ${named}`
  const none = values.includes('') ? 'in no namespace' : ''
  const said = [in_, all, none].filter((one) => one !== '').join(' or ')
  return said === '' ? '' : ` ${said}`
}
