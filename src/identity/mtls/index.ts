import { z } from 'zod'
import { issuerBase, type IssuerBase } from '../../config/schema.ts'
import { certificateIssuer } from '../certificate/issuer.ts'
import type { CertificateNames } from '../certificate/names.ts'
import type { ClaimInfo, IssuerKind } from '../issuer.ts'
import { Refusal } from '../jose/refusal.ts'

const text: ClaimInfo = { type: 'string', mayBeUnknown: false }
const list: ClaimInfo = { type: 'list', mayBeUnknown: false }

/** Claims of client certificates that policy may speak of. */
export const mtlsClaims = {
  sub: text,
  cn: list,
  o: list,
  ou: list,
  dns: list,
  uris: list,
  emails: list,
  serial: text,
  thumbprint: text,
} as const satisfies Readonly<Record<string, ClaimInfo>>

const SUBJECTS = { dns: 'dns', uri: 'uris', email: 'emails', cn: 'commonNames' } as const satisfies Record<string, keyof CertificateNames>

/** Callers of a private authority, by their client certificates. */
export const mtlsSchema = issuerBase.omit({ audiences: true }).extend({
  kind: z.literal('mtls').describe('What kind of issuer it is'),
  audiences: z.tuple([]).default([]).describe('Certificates have no audience'),
  ca: z.string().min(1).describe('PEM file of the authorities that vouch for its callers; read anew when it changes'),
  subject: z
    .enum(['dns', 'uri', 'email', 'cn'])
    .describe('The name that is the key of a caller; a certificate has to have exactly one of it. `cn` only where nothing better is there'),
  principal: z.enum(['workload', 'human']).default('workload').describe('Of what kind its callers are'),
})

export type MtlsConfig = z.output<typeof mtlsSchema>

export const mtls: IssuerKind = {
  schema: mtlsSchema,
  claims: mtlsClaims,
  create(name, base, deps) {
    const config = base as IssuerBase & MtlsConfig
    return certificateIssuer(name, config, deps, {
      kind: 'mtls',
      claims: mtlsClaims,
      read(certificate, names, authority) {
        const [subject, ...others] = names[SUBJECTS[config.subject]]
        if (subject === undefined || others.length > 0) throw new Refusal('certificate', config.subject)
        return {
          subject,
          kind: config.principal,
          issuerUrl: authority.subject.replaceAll('\n', ', '),
          claims: {
            sub: subject,
            cn: names.commonNames,
            o: names.organizations,
            ou: names.units,
            dns: names.dns,
            uris: names.uris,
            emails: names.emails,
            serial: certificate.serialNumber.toLowerCase(),
            thumbprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
          },
        }
      },
    })
  },
}
