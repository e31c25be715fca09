import { ALL, type KubernetesAction } from '../../../core/action.ts'
import { BucketIndex, type Bucketing } from '../buckets.ts'
import { pathKey } from '../sets/path.ts'
import { ANY, isAnyValue, literalsOf, valuesKey } from '../sets/values.ts'
import { isEveryWord, wordsKey } from '../sets/words.ts'
import { spaceCells } from '../space.ts'
import { noParameters, type Vocabulary } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { space } from './cells.ts'
import { covers, overlaps } from './compare.ts'
import { readAction, readParts } from './read.ts'
import { matchesPattern, mayMeet, meetsCanonical, parsePattern, type KubernetesPattern } from './template.ts'

const bucketing: Bucketing<KubernetesPattern, KubernetesAction> = {
  key: ({ side, verbs, resources, groups, subresources, namespaces, names, paths }) =>
    JSON.stringify([
      side,
      wordsKey(verbs),
      ...(paths === undefined
        ? [wordsKey(resources), wordsKey(groups), wordsKey(subresources), valuesKey(namespaces), valuesKey(names)]
        : [pathKey(paths)]),
    ]),
  // By resource and namespace, as far as they are named.
  buckets: ({ resources, namespaces, paths }) => {
    if (paths !== undefined) return ['/']
    const places = literalsOf(namespaces) ?? [ALL]
    return resources.every ? undefined : [...resources.values].flatMap((resource) => places.map((place) => `${resource} ${place}`))
  },
  bucketsOf: ({ resource, namespace, path }) => {
    if (path !== '') return ['/']
    return namespace === ALL ? undefined : [`${resource} ${namespace}`, `${resource} ${ALL}`]
  },
  isCanonical,
  meets: meetsCanonical,
}

function isOfNamespaces({ group, resource, name }: KubernetesAction): boolean {
  return group === '' && resource === 'namespaces' && name === ALL
}

export const kubernetes: Vocabulary<KubernetesAction, KubernetesPattern> = {
  protocol: 'kubernetes',
  example: 'get,list pods -n team-a',
  exampleAction: 'get pods web-1 -n team-a',
  fields: {
    verb: 'string',
    group: 'string',
    resource: 'string',
    subresource: 'string',
    namespace: 'string',
    name: 'string',
    path: 'string',
  },
  parse: parsePattern,
  read: readAction,
  readParts,
  matches: matchesPattern,
  mayMeet,
  // A namespace is in itself: a list of them is about all that patterns name.
  partly: (pattern, action) => matchesPattern(isOfNamespaces(action) ? { ...pattern, namespaces: ANY } : pattern, action),
  parameters: noParameters,
  request: (action) => {
    const { protocol: _, ...fields } = action
    return new Map(Object.entries(fields).filter(([, value]) => value !== ALL))
  },
  covers,
  overlaps,
  isAll: ({ verbs, resources, groups, namespaces, names, paths }) =>
    verbs.every && paths === undefined && isEveryWord(resources) && isEveryWord(groups) && isAnyValue(namespaces) && isAnyValue(names),
  cells: (patterns, wanted) => spaceCells(space, patterns, wanted),
  index: (entries, combine) => BucketIndex.build(bucketing, entries, combine),
}
