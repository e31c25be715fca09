import { z } from 'zod'
import { anySecretReference, duration, secureUrl } from '../../config/fields.ts'

/** `events:` of an issuer: the stream by which it tells that access has to end (OpenID Shared Signals Framework 1.0). */
export const eventsSchema = z.strictObject({
  issuer: secureUrl().describe('The `iss` of its events; its metadata is found at `/.well-known/ssf-configuration` there'),
  audience: z.string().min(1).max(1024).describe('The `aud` of this stream, as the transmitter gave it'),
  jwksUri: secureUrl().optional().describe('Where its keys are; default: where its metadata says'),
  delivery: z
    .union([
      z.strictObject({
        push: z
          .strictObject({
            token: anySecretReference().describe('What the transmitter presents as `Authorization: Bearer`, where it posts its events'),
          })
          .describe('The transmitter posts them (RFC 8935)'),
      }),
      z.strictObject({
        poll: z
          .strictObject({
            endpoint: secureUrl().describe('Where its events are fetched (RFC 8936)'),
            token: anySecretReference().describe('What the gateway presents there as `Authorization: Bearer`'),
            wait: duration()
              .default(30_000)
              .describe('Longest wait of the transmitter for an event to tell; 0s for one that answers at once'),
          })
          .describe('The gateway fetches them (RFC 8936)'),
      }),
    ])
    .describe('How they come'),
})

export type EventsConfig = z.output<typeof eventsSchema>

/** Where a transmitter's metadata is: between the host and the path of its issuer (OpenID Shared Signals Framework §6.2). */
export function eventMetadataUrl(issuer: string): string {
  const { origin, pathname } = new URL(issuer)
  return `${origin}/.well-known/ssf-configuration${pathname === '/' ? '' : pathname}`
}
