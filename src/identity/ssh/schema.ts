import { z } from 'zod'
import { duration } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { DEFAULT_AGE } from './token.ts'

/** Longest time that a token may be believed, in milliseconds. */
const MAX_AGE = 15 * 60_000

/** Callers with user certificates of OpenSSH. */
export const sshSchema = issuerBase.extend({
  kind: z.literal('ssh').describe('What kind of issuer it is'),
  audiences: z
    .array(z.string().regex(/^[!-~]{1,256}$/, 'write visible ASCII without spaces, at most 256 characters'))
    .min(1)
    .describe('What callers sign as the audience; of this gateway alone'),
  authorities: z
    .string()
    .min(1)
    .describe('File with the public keys of the authorities, one a line as in `TrustedUserCAKeys` of sshd; read anew when it changes'),
  revoked: z
    .string()
    .min(1)
    .optional()
    .describe('File with certificates and keys that were taken back, as `ssh-keygen -k` writes or reads it; read anew when it changes'),
  principals: z
    .array(z.string().min(1).max(1024))
    .min(1)
    .optional()
    .describe('Principals that count; a certificate needs one of them. Default: all, but it needs one'),
  subject: z
    .enum(['principal', 'keyId'])
    .describe('The key of a caller: the one principal that counts (a certificate with several is refused), or the key id'),
  principal: z.enum(['human', 'workload']).default('human').describe('Of what kind its callers are'),
  maxAge: duration()
    .refine((ms) => ms >= 1000 && ms <= MAX_AGE, 'write at least `1s` and at most `15m`')
    .default(DEFAULT_AGE)
    .describe('How long a token is believed after it was signed, at most; never longer than its certificate'),
})

export type SshConfig = z.output<typeof sshSchema>
