/** Policies of one resource as rules and guardrails of ours, before they have names. */
import type { AuthorizationPolicy, Operation, Rule } from '../translate/types.ts'
import { allOf, callersOf, isPartOf, isTokenless, type AddressAsked, type Callers, type ClaimAsked } from './callers.ts'
import { claimExpression, conditionOf, type Claims } from './claims.ts'
import {
  actionsOf,
  isTooLarge,
  BLANK,
  conjunction,
  meet,
  merged,
  methodOf,
  named,
  originOf,
  pathOf,
  sameShape,
  unique,
  within,
  type Draft,
  type Granting,
  type Part,
} from './drafts.ts'
import { headsOf } from './heads.ts'
import type { AcceptedIssuer } from './issuers.ts'
import type { Losses } from './losses.ts'
import { denied, EVERY_METHOD, EVERY_PATH, granted, type Place } from './operations.ts'
import type { PeerRoles } from './peers.ts'
import { hasAllPorts, hasAnyPort, isHostDenied, isHostGranted } from './resources.ts'
import type { Roles } from './roles.ts'
import { isOneOf, quoted } from './texts.ts'
import { documentOf, type ImportedWorkload } from './workloads.ts'

export interface Drafting {
  readonly workload: ImportedWorkload
  readonly host: string
  readonly ports: readonly number[]
  readonly accepted: readonly AcceptedIssuer[]
  /** Which address policy means: of the connection, or what proxies say. */
  readonly addresses: AddressAsked['from']
  readonly claims: Claims
  readonly roles: Roles
  readonly peers: PeerRoles
  readonly losses: Losses
  readonly acceptsWider: boolean
}

const EVERYONE = 'everyone'
/** Callers by operations of one rule, at most. */
const MAX_PARTS = 4096
const ANYBODY: Callers = { anonymous: true, issuers: [], claims: [], addresses: [], peers: [], ports: [], unasked: [] }
const ALL = EVERY_METHOD.flatMap((method) => EVERY_PATH.map((path) => `${method} ${path}`))

/** @throws Error for what the reader of Istio's forms would not have let through */
export function draftsOf(drafting: Drafting): readonly Draft[] {
  return new Drafts(drafting).all()
}

class Drafts {
  readonly #given: Drafting

  constructor(given: Drafting) {
    this.#given = given
  }

  all(): readonly Draft[] {
    const { losses, accepted, workload } = this.#given
    const { policies, perhaps } = workload
    const allowing = policies.filter(({ action }) => action === 'ALLOW')
    const maybe = perhaps.filter(({ action }) => action === 'ALLOW')
    for (const one of maybe)
      losses.add(
        'narrower',
        documentOf(one),
        'spec',
        `it holds for some pods of \`${workload.namespace}/${workload.wish}\` only, as far as is known: what it lets in is left out there`,
      )
    for (const one of perhaps)
      if (one.action === 'DENY' || one.action === 'CUSTOM')
        losses.add(
          'narrower',
          documentOf(one),
          'spec',
          `it holds for some pods of \`${workload.namespace}/${workload.wish}\` only, as far as is known: what it denies is denied at all of them`,
        )
    for (const one of [...policies, ...perhaps])
      if (one.action === 'AUDIT') losses.add('not-carried', documentOf(one), 'spec.action', '`AUDIT`: Ostiary records every decision')
    const guards = [...policies, ...perhaps].filter(({ action }) => action === 'DENY' || action === 'CUSTOM')
    const tokens = accepted.length === 0 ? undefined : guards.find((one) => this.#exempt(one) !== undefined)
    const granted = allowing.length > 0 ? allowing.flatMap((one) => this.#rulesOf(one)) : maybe.length > 0 ? [] : [this.#everything()]
    const rules = tokens === undefined ? granted : granted.flatMap((one) => this.#withToken(one, tokens))
    if (accepted.length === 0 && rules.length > 0)
      losses.add(
        'narrower',
        `workload ${workload.namespace}/${workload.wish}`,
        '',
        'no token was looked at; here, whoever shows one is refused',
      )
    const open = rules.filter(({ roles }) => roles.includes(EVERYONE)).flatMap(({ actions }) => actions)
    return [
      ...rules,
      ...this.#audiences(rules.length > 0),
      ...guards.filter((one) => one !== tokens).flatMap((one) => this.#guardrailsOf(one, open)),
      ...headsOf(rules, this.#given),
    ]
  }

  #everything(): Granting {
    const { wish } = this.#given.workload
    const origin = 'no policy allows anything here, and so Istio lets everything in'
    return { ...BLANK, is: 'rule', wish: `${wish}-open`, origin, actions: ALL, roles: [EVERYONE], headless: [] }
  }

  #rulesOf(policy: AuthorizationPolicy): readonly Granting[] {
    return policy.rules.flatMap((rule, index) => {
      const found = this.#parts(policy, rule, index).flatMap(({ callers, operation, place, field }) => {
        const grant = this.#granted(callers, operation, place, field)
        return grant === undefined ? [] : [grant]
      })
      const one = { ...BLANK, is: 'rule' as const, ...named(policy, index) }
      return merged(found).map((part) => ({ ...one, ...part }))
    })
  }

  /** Callers by operations: each of the one with each of the other. */
  #parts(policy: AuthorizationPolicy, rule: Rule, index: number) {
    const { accepted, losses, acceptsWider } = this.#given
    const field = `spec.rules[${index}]`
    const document = documentOf(policy)
    const operations: readonly (Operation | undefined)[] = rule.to.length === 0 ? [undefined] : rule.to
    const all = callersOf(rule, accepted, field)
    if (all.length * operations.length > MAX_PARTS) {
      const denies = policy.action !== 'ALLOW'
      losses.add(
        'narrower',
        document,
        field,
        `it has more than ${MAX_PARTS} combinations: ${denies ? 'everything is denied' : 'what it lets in is left out'}`,
      )
      const place: Place = { document, field, losses, acceptsWider }
      return denies ? [{ callers: ANYBODY, operation: undefined, place, field }] : []
    }
    return all.flatMap((callers) =>
      operations.map((operation, at) => {
        const place: Place = { document, field: `${field}.to[${at}].operation`, losses, acceptsWider }
        return { callers, operation, place, field }
      }),
    )
  }

  #granted(callers: Callers, operation: Operation | undefined, place: Place, field: string): Part | undefined {
    const { host, ports, losses, accepted } = this.#given
    const lost = (at: string, what: string): undefined => {
      losses.add('narrower', place.document, at, `${what}: what it lets in is left out`)
      return undefined
    }
    if (operation !== undefined && !isHostGranted(operation, host)) return undefined
    if (!callers.anonymous && callers.issuers.length === 0) return undefined
    const asked = [
      ...callers.ports.map((one) => ({ ...one, at: one.field })),
      ...(operation === undefined ? [] : [{ ...operation, at: place.field }]),
    ]
    for (const one of asked) {
      const sets = 'isSo' in one ? { ports: one.isSo ? one.values : [], notPorts: one.isSo ? [] : one.values } : one
      if (!hasAllPorts(sets, ports)) return lost(one.at, `other ports than ${ports.join(', ')}`)
    }
    const [unasked] = callers.unasked
    if (unasked !== undefined) {
      losses.add('not-carried', place.document, unasked.field, `${unasked.what}: what the rule lets in is left out`)
      return undefined
    }
    const foreign = callers.addresses.find((one) => one.from !== this.#given.addresses)
    if (foreign !== undefined) return lost(foreign.field, 'of two kinds of addresses policy has one')
    const peer = this.#peer(callers, place)
    if (peer === null) return undefined
    if (callers.anonymous && callers.issuers.length === 0 && accepted.length > 0)
      return lost(field, 'that somebody has no token can not be asked')
    const subject = this.#subject(callers, false)
    if (subject === undefined) return lost(field, '`client_id` is also `azp` here')
    const grant = granted(operation, place)
    if (grant === undefined) return undefined
    const when = [...subject.when, ...this.#networks(callers), ...grant.when]
    if (isTooLarge(when)) return lost(field, 'its condition is too large')
    return { roles: subject.roles, when: when.length === 0 ? undefined : conjunction(when), peer, ...actionsOf(grant) }
  }

  /** Null where it can't be told. */
  #peer(callers: Callers, { document, losses }: Place): string | undefined | null {
    const [first, ...others] = callers.peers
    if (first === undefined) return undefined
    const role = others.length > 0 ? undefined : this.#given.peers.roleOf(first.values)
    if (role !== undefined) return role
    losses.add('not-carried', document, first.field, `${this.#given.peers.why(first.values)}: what the rule lets in is left out`)
    return null
  }

  /** The roles that it asks for, and what else. Undefined for what can't be told. */
  #subject(callers: Callers, isGuardrail: boolean): { readonly roles: readonly string[]; readonly when: readonly string[] } | undefined {
    const { accepted, roles, claims } = this.#given
    const { anonymous, issuers } = callers
    const asked = issuers.length === 0 ? [] : callers.claims
    const conditions = (rest: readonly ClaimAsked[], mayBeMissing: boolean): readonly string[] | undefined => {
      const all = rest.map((one) => {
        const claim = claims.declare(one.path, accepted)
        return claim && conditionOf(claim, one, mayBeMissing)
      })
      return all.every((one) => one !== undefined) ? all : undefined
    }
    if (anonymous || isGuardrail) {
      const when = conditions(asked, true)
      return when && { roles: [EVERYONE], when: [...this.#ofIssuers(callers), ...when] }
    }
    const every = allOf(asked)
    const holders = every === undefined ? undefined : roles.holdersOf(every, issuers, 'all')
    const bound =
      holders ??
      asked
        .filter(({ isSo }) => isSo)
        .map((one) => roles.holdersOf(one, issuers))
        .find((one) => one !== undefined)
    const settled = (one: ClaimAsked): boolean =>
      holders === undefined ? one.isSo && roles.holdersOf(one, issuers) === bound && bound !== undefined : isPartOf(one, every!)
    const when = conditions(bound === undefined ? asked : asked.filter((one) => !settled(one)), false)
    return when && { roles: bound === undefined ? issuers.map((one) => roles.callersOf(one)) : [bound], when }
  }

  /** Whose tokens it is about, where that is not all of them. */
  #ofIssuers({ anonymous, issuers, claims: asked }: Callers): readonly string[] {
    const { accepted, claims } = this.#given
    const isShown = asked.some(({ isSo }) => isSo)
    if (accepted.length === 0 || (anonymous && issuers.length === accepted.length)) return []
    const claim = claimExpression(claims.declare(['iss'], accepted)!)
    if (issuers.length === accepted.length) return isShown ? [] : [`has(${claim})`]
    if (issuers.length === 0) return [`!has(${claim})`]
    const isOf = isOneOf(
      claim,
      issuers.map(({ issuer }) => ({ is: 'exact', text: issuer.iss })),
    )
    return [anonymous ? `(!has(${claim}) || ${isOf})` : `has(${claim}) && ${isOf}`]
  }

  #networks({ addresses }: Callers): readonly string[] {
    return addresses.map(({ networks, isSo }) => {
      const within = networks.map(
        (one) => `inCidr(context.ip, ${quoted(one.includes('/') ? one : `${one}/${one.includes(':') ? 128 : 32}`)})`,
      )
      const text = within.length === 1 ? within[0]! : `(${within.join(' || ')})`
      return isSo ? text : `!${text}`
    })
  }

  /** Where a policy only turns away whoever has no token: what nobody needs one for. */
  #exempt({ action, rules }: AuthorizationPolicy): readonly string[] | undefined {
    const [rule, ...more] = rules
    if (action !== 'DENY' || rule === undefined || more.length > 0 || rule.to.length > 1) return undefined
    const [callers, ...others] = callersOf(rule, this.#given.accepted, '')
    if (callers === undefined || others.length > 0 || !isTokenless(callers)) return undefined
    const { notPaths = [], ...rest } = rule.to[0] ?? {}
    return Object.values(rest as Partial<Operation>).every((all) => all.length === 0) ? notPaths : undefined
  }

  /** The same for whoever has a token, and for everybody what the policy leaves out. */
  #withToken(rule: Granting, policy: AuthorizationPolicy): readonly Granting[] {
    const { accepted, roles, losses, acceptsWider } = this.#given
    if (!rule.roles.includes(EVERYONE)) return [rule]
    const place = { document: documentOf(policy), field: 'spec.rules[0].to[0].operation', losses, acceptsWider }
    const without = this.#exempt(policy)!
    const exempt = without.length === 0 ? [] : (granted({ ...NO_OPERATION, paths: without }, place)?.paths ?? [])
    const isExempt = (action: string): boolean => exempt.some((one) => within(pathOf(action), one).includes(sameShape(pathOf(action))))
    const open = rule.actions.flatMap((action) =>
      exempt.flatMap((one) => within(pathOf(action), one).map((both) => `${methodOf(action)} ${both}`)),
    )
    const closed = rule.actions.filter((action) => !isExempt(action))
    const origin = `${rule.origin}; ${originOf(policy, 0)}`
    const wish = closed.length === 0 ? rule.wish : `${rule.wish}-public`
    return [
      ...(closed.length === 0 ? [] : [{ ...rule, roles: accepted.map((one) => roles.callersOf(one)), origin, actions: closed }]),
      ...(open.length === 0 ? [] : [{ ...rule, wish, origin, actions: unique(open) }]),
    ]
  }

  #guardrailsOf(policy: AuthorizationPolicy, open: readonly string[]): readonly Draft[] {
    const { losses, host, ports } = this.#given
    if (policy.action === 'CUSTOM' && policy.rules.length > 0)
      losses.add(
        'not-carried',
        documentOf(policy),
        'spec.provider',
        `\`${policy.provider!}\` was asked about it and is not known here: all of it is denied`,
      )
    return policy.rules.flatMap((rule, index) =>
      this.#parts(policy, rule, index).flatMap(({ callers, operation, place }): readonly Draft[] => {
        if (operation !== undefined && !isHostDenied(operation, host)) return []
        if (!callers.anonymous && callers.issuers.length === 0) return []
        const sets = [
          ...callers.ports.map(({ values, isSo }) => ({ ports: isSo ? values : [], notPorts: isSo ? [] : values })),
          ...(operation === undefined ? [] : [operation]),
        ]
        if (!sets.every((one) => hasAnyPort(one, ports))) return []
        if (!sets.every((one) => hasAllPorts(one, ports)))
          losses.add('narrower', place.document, place.field, `it is denied on all of the ports ${ports.join(', ')}`)
        const grant = denied(operation, place)
        if (grant.methods.length === 0 || grant.paths.length === 0) return []
        const known = this.#told(callers, place)
        const { actions } = actionsOf(grant, false)
        // Whoever drops the token would evade one that is for some roles.
        const isOpen = actions.some((action) => open.some((other) => meet(action, other)))
        const { who, roles, when } = this.#whom(known, isOpen)
        const whole = [...when, ...this.#networks(known), ...grant.when]
        // Without its condition, more is denied.
        const all = isTooLarge(whole) ? [] : whole
        if (all.length < whole.length)
          losses.add('narrower', place.document, place.field, 'its condition is too large: it is denied in any case')
        return [
          {
            ...BLANK,
            is: 'guardrail',
            ...named(policy, index),
            actions,
            who,
            roles,
            when: all.length === 0 ? undefined : conjunction(all),
          },
        ]
      }),
    )
  }

  /** Without what can't be asked: then it is denied to more. */
  #told(callers: Callers, { document, losses }: Place): Callers {
    const addresses = callers.addresses.filter(({ from }) => from === this.#given.addresses)
    const foreign = callers.addresses.filter(({ from }) => from !== this.#given.addresses)
    const lost = [
      ...callers.unasked,
      ...callers.peers.map(({ field }) => ({ field, what: 'guardrails do not ask who is at the other end' })),
    ]
    for (const { field, what } of [...lost, ...foreign.map(({ field }) => ({ field, what: 'of two kinds of addresses policy has one' }))])
      losses.add('narrower', document, field, `${what}: it is denied whoever it is`)
    const claims = callers.claims.filter(({ path, isSo }) => {
      const isTold = isSo || this.#given.claims.declare(path, this.#given.accepted) !== undefined
      if (!isTold) losses.add('narrower', document, 'spec', '`client_id` is also `azp` here: it is denied whatever it is')
      return isTold && this.#given.claims.declare(path, this.#given.accepted) !== undefined
    })
    return { ...callers, addresses, claims, unasked: [], peers: [] }
  }

  #whom(callers: Callers, isOpen: boolean): Pick<Draft, 'who' | 'roles'> & { readonly when: readonly string[] } {
    const { accepted, roles } = this.#given
    const { anonymous, issuers, claims } = callers
    if (accepted.length > 0 && anonymous && issuers.length === 0)
      return { who: 'allBut', roles: accepted.map((one) => roles.callersOf(one)), when: [] }
    const [only, ...more] = claims
    if (
      issuers.length > 0 &&
      only !== undefined &&
      more.length === 0 &&
      only.isSo !== anonymous &&
      (only.isSo ? !isOpen : issuers.length === accepted.length)
    ) {
      const role = roles.holdersOf(only, issuers)
      if (role !== undefined) return { who: only.isSo ? 'for' : 'allBut', roles: [role], when: [] }
    }
    if (!anonymous && !isOpen && claims.length === 0) return { who: 'for', roles: issuers.map((one) => roles.callersOf(one)), when: [] }
    return { who: 'for', roles: [EVERYONE], when: this.#subject(callers, true)!.when }
  }

  /** Tokens that other workloads accept, and this one doesn't. */
  #audiences(isNeeded: boolean): readonly Draft[] {
    const { accepted, claims, workload, losses } = this.#given
    return accepted.flatMap(({ issuer, audiences }): readonly Draft[] => {
      if (!isNeeded || issuer.audiences.every((one) => audiences.includes(one))) return []
      const aud = claims.declare(['aud'], accepted)!
      const iss = claimExpression(claims.declare(['iss'], accepted)!)
      const isFor = conditionOf(aud, { path: ['aud'], texts: audiences.map((text) => ({ is: 'exact', text })), isSo: false }, true)
      losses.add(
        'narrower',
        `workload ${workload.namespace}/${workload.wish}`,
        '',
        `of \`${issuer.iss}\`, tokens with several audiences are refused here`,
      )
      return [
        {
          ...BLANK,
          is: 'guardrail',
          wish: `${workload.wish}-audience`,
          origin: `tokens of ${issuer.iss} are accepted here for ${audiences.join(', ')}`,
          actions: ALL,
          roles: [EVERYONE],
          when: `has(${iss}) && ${iss} == ${quoted(issuer.iss)} && ${isFor}`,
        },
      ]
    })
  }
}

const NO_OPERATION: Operation = { hosts: [], notHosts: [], ports: [], notPorts: [], methods: [], notMethods: [], paths: [], notPaths: [] }
