import { z } from 'zod'
import { issuerBase, type IssuerBase } from '../../config/schema.ts'
import { certificateIssuer } from '../certificate/issuer.ts'
import type { ClaimInfo, IssuerKind } from '../issuer.ts'
import { Refusal } from '../jose/refusal.ts'
import { readSpiffeId, TRUST_DOMAIN } from './id.ts'

const text: ClaimInfo = { type: 'string', mayBeUnknown: false }

/** Claims of X.509-SVIDs that policy may speak of. `segments` are those of the path. */
export const spiffeClaims = {
  sub: text,
  trustDomain: text,
  path: text,
  segments: { type: 'list', mayBeUnknown: false },
} as const satisfies Readonly<Record<string, ClaimInfo>>

/** Workloads of a SPIFFE trust domain, by their X.509-SVIDs. */
export const spiffeSchema = issuerBase.omit({ audiences: true }).extend({
  kind: z.literal('spiffe').describe('What kind of issuer it is'),
  audiences: z.tuple([]).default([]).describe('Certificates have no audience'),
  trustDomain: z
    .string()
    .regex(TRUST_DOMAIN, 'write the trust domain alone, such as `example.org`')
    .describe('Its trust domain')
    .meta({ examples: ['example.org'] }),
  ca: z.string().min(1).describe('PEM file of the trust domain’s bundle; read anew when it changes'),
})

export type SpiffeConfig = z.output<typeof spiffeSchema>

export const spiffe: IssuerKind = {
  schema: spiffeSchema,
  claims: spiffeClaims,
  create(name, base, deps) {
    const config = base as IssuerBase & SpiffeConfig
    return certificateIssuer(name, config, deps, {
      kind: 'spiffe',
      claims: spiffeClaims,
      read(_, { uris }) {
        // Exactly one URI, which is the id (X.509-SVID §2); an authority of one trust domain vouches for no other.
        const id = uris.length === 1 ? readSpiffeId(uris[0]!) : undefined
        if (id === undefined || id.trustDomain !== config.trustDomain || id.path === '') throw new Refusal('certificate', 'uri')
        const { trustDomain, path } = id
        return {
          subject: uris[0]!,
          kind: 'workload',
          issuerUrl: `spiffe://${trustDomain}`,
          claims: { sub: uris[0]!, trustDomain, path, segments: path.slice(1).split('/') },
        }
      },
    })
  },
}
