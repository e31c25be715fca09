/** Roles of whoever is at the other end of a connection, as principals of a mesh: SPIFFE IDs without their scheme. */
import type { Wiring } from '../../config/schema.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import { plainValue } from './conditions.ts'
import type { IstioTarget } from './schema.ts'

/** @returns For `compileNative`: principals that hold one of the roles, each of them exactly. What it makes throws NoNativeForm */
export function principalsIn(
  { model }: Pick<CompiledPolicy, 'model'>,
  { issuers }: Wiring,
  { trustDomain, mtls }: Pick<IstioTarget, 'trustDomain' | 'mtls'>,
): (roles: readonly string[]) => readonly string[] {
  return (roles) => {
    if (mtls !== 'strict') throw new NoNativeForm('`peer:` needs a mesh without plaintext: `mtls: strict`')
    return [...new Set(roles.flatMap(principalsOf))].toSorted()
  }

  function principalsOf(name: string): readonly string[] {
    const role = model.roles.get(name)
    if (role === undefined) throw new NoNativeForm(`\`peer: ${name}\` names nobody whom a mesh could tell`)
    return role.bindings.flatMap(({ issuer, claim, match, values, kind, until, eligible }) => {
      const config = issuers[issuer] as { readonly kind: string; readonly trustDomain?: string } | undefined
      // Of these there are no certificates: nobody at the other end of a connection holds the role by them.
      if (config !== undefined && config.kind !== 'spiffe' && config.kind !== 'mtls') return []
      // What a connection shows doesn't activate it, and it is a workload.
      if (eligible || (kind !== undefined && kind !== 'workload')) return []
      if (config?.kind !== 'spiffe' || config.trustDomain !== trustDomain)
        throw new NoNativeForm(
          `\`peer: ${name}\` is bound to issuer \`${issuer}\`, which is not the trust domain \`${trustDomain}\` of the mesh`,
        )
      if (until !== undefined) throw new NoNativeForm(`\`peer: ${name}\` ends at an instant, and Istio has no clock`)
      if (match !== 'any' || (claim !== 'sub' && claim !== 'path'))
        throw new NoNativeForm(`\`peer: ${name}\` is bound by other than any of \`sub\` or \`path\`, and Istio compares the whole of it`)
      return [...values].map(plainValue).flatMap((value) => {
        if (claim === 'path') return value.startsWith('/') ? [`${trustDomain}${value}`] : []
        return value.startsWith(`spiffe://${trustDomain}/`) ? [value.slice('spiffe://'.length)] : []
      })
    })
  }
}
