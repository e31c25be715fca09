/** What guardrails ask for along with an allow: how each is told, and how several become one. */
import type { Mask, MaskedField, Obligation } from '../core/decision.ts'
import type { Identity } from '../core/principal.ts'
import type { Limit } from './model.ts'

type MaskObligation = Extract<Obligation, { kind: 'mask' }>

const STRICTEST_FIRST: readonly Mask['as'][] = ['drop', 'null', 'constant', 'hash', 'partial']

/** Of two masks of one field, the stricter: drop, null, constant, hash, partial. It doesn't depend on their order. */
export function stricter(a: Mask, b: Mask): Mask {
  if (a.as === 'partial' && b.as === 'partial') return { as: 'partial', first: Math.min(a.first, b.first), last: Math.min(a.last, b.last) }
  if (a.as === 'constant' && b.as === 'constant') return JSON.stringify(a.value) < JSON.stringify(b.value) ? a : b
  return STRICTEST_FIRST.indexOf(a.as) <= STRICTEST_FIRST.indexOf(b.as) ? a : b
}

/** All of them, masks and record as one each; sorted, so that nothing depends on the order in which they were met. */
export function unite(all: readonly Obligation[]): readonly Obligation[] {
  if (all.length < 2) return all
  const fields = new Map<string, Mask>()
  const [masking, recording] = [new Set<string>(), new Set<string>()]
  const limits = new Map<string, Extract<Obligation, { kind: 'limit' }>>()
  for (const one of all)
    switch (one.kind) {
      case 'mask':
        for (const id of one.ids) masking.add(id)
        for (const { path, mask } of one.fields) fields.set(path, stricter(mask, fields.get(path) ?? mask))
        break
      case 'limit':
        limits.set(JSON.stringify([one.id, one.key]), one)
        break
      case 'record':
        for (const id of one.ids) recording.add(id)
        break
    }
  const mask: MaskObligation = {
    kind: 'mask',
    ids: [...masking].toSorted(),
    fields: [...fields].map(([path, how]): MaskedField => ({ path, mask: how })).toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  }
  return [
    ...(masking.size === 0 ? [] : [mask]),
    ...[...limits].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one),
    ...(recording.size === 0 ? [] : [{ kind: 'record', ids: [...recording].toSorted(), mode: 'strict' } as const]),
  ]
}

/** Whose counter a limit charges. Without a credential, that of the address. */
export function limitKey({ per }: Limit, identity: Identity | undefined, ip: string): string {
  if (per === 'everyone') return 'everyone'
  if (per === 'address' || identity === undefined) return `address ${ip}`
  if (per === 'issuer') return `issuer ${identity.issuer}`
  // A client is one of its issuer; a credential that names none counts by its subject.
  const { client } = identity.evidence
  if (per === 'client' && client !== undefined) return `client ${identity.issuer} ${client}`
  return `principal ${identity.issuer} ${identity.subject}`
}

/** `drop`, `keep the last 4 characters of`, … a field. */
export function describeMask({ path, mask }: MaskedField): string {
  switch (mask.as) {
    case 'drop':
      return `without \`${path}\``
    case 'null':
      return `\`${path}\` null`
    case 'constant':
      return `\`${path}\` always ${JSON.stringify(mask.value)}`
    case 'hash':
      return `\`${path}\` as a hash`
    case 'partial':
      return `\`${path}\` but for its first ${mask.first} and last ${mask.last} characters`
  }
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** `100 requests in 1m per principal` */
export function describeLimit({ requests, window, per }: Limit): string {
  const [unit, size] = UNITS.find(([, one]) => window % one === 0) ?? ['ms', 1]
  return `${requests} request${requests === 1 ? '' : 's'} in ${window / size}${unit} ${per === 'everyone' ? 'of everyone together' : `per ${per}`}`
}
