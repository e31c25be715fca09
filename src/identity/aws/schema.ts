import { z } from 'zod'
import { duration, secureUrl } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { MAX_EXPIRES } from './presigned.ts'
import { REGION } from './regions.ts'

/** AWS IAM, by presigned `GetCallerIdentity` requests. */
export const awsSchema = issuerBase.extend({
  kind: z.literal('aws-iam').describe('What kind of issuer it is'),
  audiences: z
    .array(z.string().regex(/^[!-~]{1,256}$/, 'write visible ASCII without spaces, at most 256 characters'))
    .length(1, 'write exactly one: it is what callers sign for this gateway')
    .describe('What callers sign as `x-ostiary-audience`; one, and of this gateway alone'),
  accounts: z
    .array(z.string().regex(/^[0-9]{12}$/, 'write an account number of 12 digits, in quotes'))
    .min(1)
    .describe('Accounts whose principals are accepted'),
  regions: z
    .array(z.string().regex(REGION, 'write a region such as `eu-central-1`, or `global` for sts.amazonaws.com'))
    .min(1)
    .describe('Regions whose STS may be asked; `global` is the endpoint without one'),
  maxAge: duration()
    .refine(
      (ms) => ms >= 1000 && ms <= MAX_EXPIRES * 1000,
      'write at least `1s` and at most `15m`, which is as long as AWS takes a request',
    )
    .default(MAX_EXPIRES * 1000)
    .describe('How long a request is believed after it was signed, at most'),
  allowRoot: z.boolean().default(false).describe('Accept the root user of an account'),
  endpoint: secureUrl()
    .refine((url) => !URL.canParse(url) || new URL(url).pathname === '/', 'write a URL without a path')
    .optional()
    .describe(
      'Where STS is reached instead, such as a VPC endpoint, without a proxy; requests are still signed for the hosts of `regions`',
    ),
})

export type AwsConfig = z.output<typeof awsSchema>
