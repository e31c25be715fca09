/**
 * What an API server has to be told to verify the issuers' tokens by itself (`--authentication-config`): whose they are, what Ostiary asks
 * of them, and whom they make of somebody: a user that nobody is bound as, in the groups of their roles.
 */
import { all, NEVER, payload, test, type Formula, type NativeIssuer, type TokenTest } from '../../core/token.ts'
import { EXTRA_DOMAIN, roleGroup, userName } from '../../kubernetes/users.ts'
import { compileNative } from '../../policy/native/compile.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import { AUTHENTICATED, EVERYONE, type Model, type Rule } from '../../policy/model.ts'
import { statementsOn } from '../../policy/statements.ts'
import type { TargetDocument, TargetInput, TargetResult } from '../target.ts'
import type { Assumption } from './assume.ts'
import { celAt, celOf, celText } from './cel.ts'
import type { KubernetesTarget } from './schema.ts'

export interface Authentication {
  readonly needs: NonNullable<TargetResult['needs']>
  readonly narrower: readonly string[]
  readonly relied: ReadonlyMap<Assumption, readonly string[]>
  /** What has no form there: id of the role, or none. */
  readonly refused: readonly { readonly id: string | undefined; readonly why: string }[]
}

/** Issuers that one file takes. */
const MAX_ISSUERS = 64

export function authenticationOf({ config, wiring, policy, issuers }: TargetInput<KubernetesTarget>, prefix: string): Authentication {
  const { resource, version, authentication } = config
  const { model } = policy
  const found = new Findings()
  const isAks = authentication?.form === 'aks'
  if (isAks && !prefix.startsWith(AKS_PREFIX))
    found.refuse(`names that AKS takes begin with \`${AKS_PREFIX}\`: write it as \`prefix\` of the target`)
  const may = model.world.resources[resource]?.issuers
  const accepted: NativeIssuer[] = []
  for (const [name, forms] of issuers) {
    if (may?.includes(name) === false) continue
    if (isAks && model.world.issuers[name]?.kind === 'entra') found.narrower.add(`tokens of \`${name}\`, which AKS takes by itself alone`)
    else if ('refused' in forms) found.narrower.add(`tokens of \`${name}\`, which ${forms.refused}: they come through the door`)
    else accepted.push(...forms)
  }
  const native = compileNative({ model: ofRoles(model, resource), resource, issuers })
  for (const { id, why } of native.refused) if (id !== undefined) found.refused.push({ id, why })
  for (const { id } of native.native.rules)
    if (model.roles.get(id)?.bindings.some(({ eligible }) => eligible) === true)
      found.narrower.add(`role \`${id}\` where it has to be activated, which no token shows`)
  if (accepted.length === 0) found.refuse('none of its issuers has tokens that an API server can verify')
  if (accepted.length > MAX_ISSUERS) found.refuse(`it has ${accepted.length} issuers, and an API server takes ${MAX_ISSUERS}`)
  const { maxTokenLifetime } = wiring.resources[resource] ?? {}
  const jwt = accepted.flatMap((issuer): readonly TargetDocument[] => {
    const { iss, form, name } = issuer
    const twin = accepted.find((one) => one.iss === iss)
    if (twin !== issuer) found.refuse(`\`${form}\` and \`${twin!.form}\` have the same \`iss\`, by which an API server tells issuers apart`)
    if (!iss.startsWith('https://')) found.refuse(`the \`iss\` of \`${form}\` is no https address`)
    const held = new Map(native.native.rules.flatMap(({ id, applies }) => (applies.has(form) ? [[id, applies.get(form)!] as const] : [])))
    try {
      return [jwtOf({ issuer, held, maxTokenLifetime, prefix, found, reached: authentication?.issuers[name] })]
    } catch (error) {
      if (!(error instanceof NoNativeForm)) throw error
      found.refuse(`\`${form}\`: ${error.message}`)
      return []
    }
  })
  return {
    needs: isAks ? jwt.map(ofAks) : [fileOf(version, authentication, jwt)],
    narrower: [...found.narrower],
    relied: new Map([...found.relied].map(([one, about]) => [one, [...about].toSorted()])),
    refused: found.refused,
  }
}

/** All names that AKS takes of tokens begin so. */
const AKS_PREFIX = 'aks:jwt:'

function fileOf(version: string, { anonymous }: Configured = {}, jwt: readonly TargetDocument[]): Authentication['needs'][number] {
  const isOld = Number(version.split('.')[1]) < 34
  return {
    text: 'the API server has to be started with this (`--authentication-config`), which is no document of its API; until it is, it lets in none of the issuers’ tokens',
    document: {
      apiVersion: `apiserver.config.k8s.io/${isOld ? 'v1beta1' : 'v1'}`,
      kind: 'AuthenticationConfiguration',
      ...(anonymous === undefined ? {} : { anonymous: anonymousOf(anonymous) }),
      jwt,
    },
  }
}

type Configured = Partial<NonNullable<KubernetesTarget['authentication']>>

/** It matches any of the audiences, and asks issuers over the internet. */
function ofAks(entry: TargetDocument): Authentication['needs'][number] {
  const { url, audiences } = entry['issuer'] as { readonly url: string; readonly audiences: readonly string[] }
  return {
    text: `AKS has to have this, as JSON, as an authenticator of ${url} (\`az aks jwtauthenticator add --config-file\`); until it has, it lets in none of its tokens`,
    document: { ...entry, issuer: { url, audiences } },
  }
}

/** What there is to know about it, as it is found. */
class Findings {
  readonly narrower = new Set<string>()
  readonly relied = new Map<Assumption, Set<string>>()
  readonly refused: Authentication['refused'][number][] = []

  rely(one: Assumption, ...about: readonly string[]): void {
    this.relied.set(one, new Set([...(this.relied.get(one) ?? []), ...about]))
  }

  refuse(why: string): void {
    this.refused.push({ id: undefined, why })
  }
}

interface JwtParts {
  readonly issuer: NativeIssuer
  /** When each role is held by somebody with such a token. */
  readonly held: ReadonlyMap<string, Formula>
  /** Milliseconds. */
  readonly maxTokenLifetime: number | undefined
  readonly prefix: string
  readonly found: Findings
  readonly reached: NonNullable<KubernetesTarget['authentication']>['issuers'][string] | undefined
}

/** One entry of `jwt`. @throws NoNativeForm */
function jwtOf({ issuer, held, maxTokenLifetime, prefix, found, reached }: JwtParts): TargetDocument {
  const { iss, form, name, audiences, credential, narrower, tokenId } = issuer
  for (const one of narrower) found.narrower.add(`\`${name}\`: ${one}`)
  found.narrower.add(`\`${name}\`: an application’s own tokens that give no role, also for what is everybody’s`)
  found.rely('longer-clock-skew')
  found.rely('published-keys', name)
  found.rely('unrevoked-tokens')
  const roleOf = (role: string): string =>
    celOf(held.get(role) ?? NEVER, 'least', () =>
      found.narrower.add(`role \`${role}\` where it is bound until an instant (\`breakGlass\`)`),
    )
  const asked = maxTokenLifetime === undefined ? credential : all(credential, shortLived(maxTokenLifetime))
  const rules = partsOf(asked).map((part) => celOf(part, 'most', (untold) => relyOn(untold, name, found)))
  const groups = [...held.keys()]
    .filter((role) => role !== AUTHENTICATED)
    .map((role) => `(${roleOf(role)} ? [${celText(roleGroup(role, prefix))}] : [])`)
  const expressions = new Set([...rules, roleOf(AUTHENTICATED)].filter((one) => one !== 'true'))
  return {
    issuer: { url: iss, ...reached, audiences, audienceMatchPolicy: 'MatchAny' },
    claimValidationRules: [...expressions].map((expression) => ({ expression, message: `a token of ${form} that Ostiary refuses` })),
    claimMappings: {
      username: { expression: `${celText(userName(name, '', prefix))} + ${subjectOf(issuer)}` },
      groups: { expression: [`[${celText(roleGroup(AUTHENTICATED, prefix))}]`, ...groups].join(' + ') },
      extra: [
        { key: `${EXTRA_DOMAIN}issuer`, valueExpression: celText(name) },
        { key: `${EXTRA_DOMAIN}subject`, valueExpression: subjectOf(issuer) },
        { key: `${EXTRA_DOMAIN}token-id`, valueExpression: textOr(tokenId) },
      ],
    },
    userValidationRules: [
      { expression: '!user.username.startsWith("system:")', message: 'a name of Kubernetes itself' },
      { expression: '!user.groups.exists(g, g.startsWith("system:"))', message: 'a group of Kubernetes itself' },
    ],
  }
}

/** @throws NoNativeForm for what no token is let in by */
function relyOn(untold: TokenTest, name: string, found: Findings): void {
  if ('path' in untold && untold.path.part === 'header')
    found.rely(untold.path.names[0] === 'typ' ? 'access-tokens-only' : 'plain-headers', name)
  else if (untold.is === 'past') found.rely('issued-in-the-past', name)
  else throw new NoNativeForm(`its tokens are asked what an API server can not ask (${untold.is})`)
}

/** One rule for each role that a rule or a guardrail of the resource is about: when it is held is what is asked. */
function ofRoles(model: Model, resource: string): Model {
  const { rules, guardrails } = statementsOn(model, resource)
  const names = new Set([AUTHENTICATED, ...[...rules, ...guardrails].flatMap(({ roles }) => roles)])
  const asking = [...names]
    .filter((role) => role !== EVERYONE)
    .toSorted()
    .map((role): Rule => {
      const { span } = model.roles.get(role) ??
        rules[0] ??
        guardrails[0] ?? { span: { file: '', line: 1, column: 1, endLine: 1, endColumn: 1 } }
      return {
        kind: 'rule',
        id: role,
        description: undefined,
        resources: [resource],
        actions: [],
        when: undefined,
        roles: [role],
        peer: undefined,
        span,
        resourceSpan: span,
      }
    })
  const only = { rules: asking, guardrails: [] }
  return { ...model, ...only, scopes: new Map(), on: (one) => (one === resource ? only : { rules: [], guardrails: [] }) }
}

function partsOf(formula: Formula): readonly Formula[] {
  return 'all' in formula ? formula.all.flatMap(partsOf) : [formula]
}

function shortLived(most: number): Formula {
  return test({ is: 'span', path: payload('exp'), since: payload('iat'), most: most / 1000 })
}

/** As Ostiary names it. Object ids are in lower case. */
function subjectOf({ subject }: NativeIssuer): string {
  const texts = subject.map((name) => `string(${celAt(payload(name))})${subject.length === 1 ? '' : '.lowerAscii()'}`)
  return texts.join(' + "/" + ')
}

function textOr(name: string): string {
  const at = celAt(payload(name))
  return `claims[?${celText(name)}].hasValue() && type(${at}) == string ? string(${at}) : ""`
}

function anonymousOf({ enabled, paths }: NonNullable<NonNullable<KubernetesTarget['authentication']>['anonymous']>): TargetDocument {
  return { enabled, ...(enabled && paths !== undefined ? { conditions: paths.map((path) => ({ path })) } : {}) }
}
