/** The keys of issuers, got now and once, for targets that are handed keys together with the policy. */
import type { Wiring } from '../config/schema.ts'
import { systemClock } from '../core/clock.ts'
import { issuerKinds } from '../identity/index.ts'
import { jwksOf } from '../identity/nativekeys.ts'
import type { KeySets, NativeIssuers } from '../targets/target.ts'
import { openSurroundings, settled, type DoctorParts } from './doctor/opened.ts'

/**
 * Asks each issuer as a gateway with this configuration would, and keeps nothing.
 * @returns A JWK Set by form, without any key where the issuer has none or didn't answer: with it, no token is good. `failures` says why.
 * @throws OstiaryError `identity/outbound-ca`, `identity/outbound-proxy`
 */
export async function keysOf(
  wiring: Wiring,
  issuers: NativeIssuers,
  { folder, clock = systemClock, ...more }: Partial<DoctorParts> & Pick<DoctorParts, 'folder'>,
): Promise<{ readonly keys: KeySets; readonly failures: ReadonlyMap<string, string> }> {
  const surroundings = openSurroundings(wiring, { folder, clock, ...more })
  const failures = new Map<string, string>()
  try {
    const sets = await Promise.all(
      [...issuers].map(async ([name, forms]) => {
        if ('refused' in forms || forms.length === 0) return []
        const config = wiring.issuers[name]!
        const issuer = issuerKinds[config.kind]!.create(name, config, surroundings.deps)
        try {
          await settled(issuer, surroundings, clock)
          // Without what it means for a gateway that runs.
          const trouble = surroundings.linesOf(name)[0]?.split('; ')[0]
          if (!issuer.status().ready) failures.set(name, trouble ?? issuer.status().detail)
          return forms.map(({ form, iss, algorithms }) => [form, jwksOf(issuer.publicKeys?.(iss) ?? [], algorithms)] as const)
        } finally {
          issuer.close()
        }
      }),
    )
    return { keys: new Map(sets.flat()), failures }
  } finally {
    await surroundings.close()
  }
}
