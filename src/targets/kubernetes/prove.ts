/**
 * Compares what was compiled with the policy, cell by cell: what the API server would make of the documents as they are written, against
 * the rules that cover the cell, for everybody by one role and for whoever has none. Rules only grant and so do roles: what holds for
 * each role by itself holds for every set of them.
 */
import { TooManyCells } from '../../policy/actions/cells.ts'
import { kubernetes } from '../../policy/actions/kubernetes/index.ts'
import type { KubernetesPattern } from '../../policy/actions/kubernetes/template.ts'
import { literal } from '../../policy/actions/sets/glob.ts'
import { pathSet } from '../../policy/actions/sets/path.ts'
import { ANY, valuesOf } from '../../policy/actions/sets/values.ts'
import { everyBut, some } from '../../policy/actions/sets/words.ts'
import type { Counterexample } from '../../policy/compare/enforced.ts'
import { statementsOn } from '../../policy/statements.ts'
import type { ResourceProof, TargetDocument, TargetInput } from '../target.ts'
import { comparedInAzure } from './azure/prove.ts'
import { EVERYTHING, isOpen, listedIn, MAX_CELLS, MAX_TOLD, PATTERN } from './cells.ts'
import { isAuthorized, NotReadable, readRbac, type RbacRequest, type ReadRbac } from './evaluate.ts'
import { peopleOf } from './people.ts'
import { requestsOf } from './requests.ts'
import { prefixOf, type KubernetesTarget } from './schema.ts'

export function proveKubernetes(input: TargetInput<KubernetesTarget>, documents: readonly TargetDocument[]): readonly ResourceProof[] {
  const { config, policy } = input
  const { resource } = config
  if (documents.length === 0 && policy.model.world.resources[resource]?.protocol !== 'kubernetes') return []
  const proof = { resource, delegated: false, classes: 0, problems: [], cells: 0, comparisons: 0, counterexamples: [], notProven: [] }
  try {
    // As it comes back: only what JSON carries.
    const read = JSON.parse(JSON.stringify(documents)) as readonly unknown[]
    if (config.azure !== undefined) return [{ ...proof, ...comparedInAzure(input, config.azure.cluster, read) }]
    const told = readRbac(read)
    const problems = problemsOf(told)
    if (config.authorization !== undefined) {
      // The gateway is asked first, and what it has no opinion about is nobody's: no role may say otherwise.
      const given = told.bindings.length === 0 ? [] : ['roles are bound, and the gateway is to be asked about everything']
      return [{ ...proof, delegated: true, problems: [...problems, ...given] }]
    }
    return [{ ...proof, problems, ...compared(input, told) }]
  } catch (error) {
    if (!(error instanceof NotReadable) && !(error instanceof TooManyCells)) throw error
    const why =
      error instanceof NotReadable ? `what was compiled can not be read back: ${error.message}` : 'its patterns overlap in too many ways'
    return [{ ...proof, notProven: [why] }]
  }
}

/** Nobody is bound but groups, and to roles that are there. */
function problemsOf({ roles, bindings }: ReadRbac): readonly string[] {
  const all = bindings.flatMap(({ role, subjects }) => [
    ...(roles.has(role) ? [] : [`${role} is bound and is not there: whoever writes it decides what it gives`]),
    ...subjects.flatMap(({ kind, name }) => (kind === 'Group' ? [] : [`${kind} \`${name}\` is bound, and only groups are to be`])),
  ])
  return [...new Set(all)]
}

type Outcome = Pick<ResourceProof, 'classes' | 'cells' | 'comparisons' | 'counterexamples' | 'notProven'>

function compared(input: TargetInput<KubernetesTarget>, told: ReadRbac): Outcome {
  const { rules, guardrails } = statementsOn(input.policy.model, input.config.resource)
  const notProven = [
    ...guardrails.map(({ id }) => `guardrail \`${id}\` takes away what roles can not`),
    ...rules.flatMap(({ id, when, peer }) => (when === undefined && peer === undefined ? [] : [`rule \`${id}\` asks what roles can not`])),
  ]
  const counterexamples: Counterexample[] = []
  const people = new Set<string>()
  let [cells, comparisons] = [0, 0]
  for (const { number, cell, who, requests, may, isUnlisted } of questionsOf(input, told)) {
    cells = number
    if (requests === undefined) {
      notProven.push(`there is no request of ${cell}`)
      continue
    }
    people.add(who)
    comparisons++
    const is = requests.map((request) => isAuthorized(told, request))
    if (counterexamples.length === MAX_TOLD) continue
    const about = { issuer: undefined, who: [who], actions: cell }
    if (!may && is.includes(true)) counterexamples.push({ ...about, direction: 'wider' })
    else if (may && is.includes(false) && !isUnlisted) counterexamples.push({ ...about, direction: 'narrower' })
  }
  return { classes: people.size, cells, comparisons, counterexamples, notProven: [...new Set(notProven)] }
}

/** What is compared: one action of a cell for all of it, by one of the people. */
export interface Question {
  /** Of its cell, from one on. */
  readonly number: number
  readonly cell: string
  readonly who: string
  /** Every request by which the action may come; undefined where none was found. */
  readonly requests: readonly RbacRequest[] | undefined
  /** What the policy says of it. */
  readonly may: boolean
  /** Whether it is granted by what the wiring would have to list, and doesn't: nobody gets it, and that is said. */
  readonly isUnlisted: boolean
}

/** @throws NotReadable, TooManyCells */
export function* questionsOf({ config, policy, wiring }: TargetInput<KubernetesTarget>, told: ReadRbac): Iterable<Question> {
  const { model } = policy
  const { rules } = statementsOn(model, config.resource)
  const people = peopleOf(model, rules, config, prefixOf(config, wiring), told)
  const coverings = rules.flatMap((rule) =>
    rule.actions.flatMap(({ pattern }) => (pattern.protocol === 'kubernetes' ? [{ rule, pattern }] : [])),
  )
  const patterns = [...coverings.map(({ pattern }) => pattern), ...patternsIn(told), ...listedIn(config), ...EVERYTHING]
  let number = 0
  for (const cell of kubernetes.cells(patterns, { named: () => undefined, wants: () => true, most: MAX_CELLS })) {
    number++
    const action = cell.action(new Map())
    const here = cell.covering.flatMap((number) => (coverings[number] === undefined ? [] : [coverings[number]]))
    for (const { text, groups, holds } of people) {
      const granting = here.filter(({ rule }) => rule.roles.some((role) => holds.has(role)))
      const isKubernetes = action?.protocol === 'kubernetes'
      yield {
        number,
        cell: cell.text,
        who: text,
        requests: isKubernetes ? requestsOf(action, { user: 'somebody', groups }) : undefined,
        may: granting.length > 0,
        isUnlisted: isKubernetes && granting.length > 0 && isOpen(action, granting, config),
      }
    }
  }
}

/** What the documents tell apart. */
function patternsIn({ roles, bindings }: ReadRbac): readonly KubernetesPattern[] {
  return bindings.flatMap(({ role, namespace }) =>
    (roles.get(role) ?? []).flatMap(({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }) => {
      const said = verbs.includes('*') ? everyBut() : some(verbs)
      const ofPaths = nonResourceURLs.map((url) => {
        const paths = pathSet((url === '*' ? '/**' : url.replace(/\/\*$/, '/**')).slice(1))
        if (typeof paths === 'string' || paths.segments.some(({ pieces }) => pieces.length > 1) || !/^[/*]/.test(url))
          throw new NotReadable(`path \`${url}\``)
        return { ...PATTERN, verbs: said, paths }
      })
      const ofResources = apiGroups.flatMap((group) =>
        resources.flatMap((text) => {
          const [resource = '', subresource = ''] = text.split('/')
          const of = {
            ...PATTERN,
            groups: group === '*' ? everyBut() : some([group]),
            resources: resource === '*' ? everyBut() : some([resource]),
            subresources: text === '*' ? everyBut() : some([subresource]),
            namespaces: namespace === '' ? ANY : valuesOf([literal(namespace)]),
            names: resourceNames.length === 0 ? ANY : valuesOf(resourceNames.map(literal)),
          }
          // Ways in are one verb here, by whatever method they come.
          return [
            { ...of, verbs: said },
            { ...of, verbs: some(['create']) },
          ]
        }),
      )
      return [...ofPaths, ...ofResources]
    }),
  )
}
