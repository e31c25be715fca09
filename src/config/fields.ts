/** The field types that configuration files share. Each says in its message what to write. */
import { z } from 'zod'

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const SIZES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

/** `500ms`, `30s`, `15m`, `8h`, `30d` → milliseconds. */
export function duration() {
  return z
    .string()
    .regex(/^[0-9]{1,9}(ms|s|m|h|d)$/, 'write a duration such as `500ms`, `30s`, `15m`, `8h` or `30d`')
    .meta({ examples: ['30s', '15m'] })
    .transform((text) => {
      const unit = /[a-z]+$/.exec(text)![0] as keyof typeof UNITS
      return Number(text.slice(0, -unit.length)) * UNITS[unit]
    })
}

/** `512B`, `64KiB`, `10MiB`, `2GiB` → bytes. */
export function bytes() {
  return z
    .string()
    .regex(/^[0-9]{1,9}(B|KiB|MiB|GiB)$/, 'write a size such as `512B`, `64KiB`, `10MiB` or `2GiB`')
    .meta({ examples: ['10MiB'] })
    .transform((text) => {
      const unit = /[A-Za-z]+$/.exec(text)![0] as keyof typeof SIZES
      return Number(text.slice(0, -unit.length)) * SIZES[unit]
    })
}

/** A name of something declared here: role, resource, issuer. */
export function name() {
  return z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,62}$/, 'write a name of lower-case letters, digits and dashes that starts with a letter, at most 63 long')
}

/** Where a secret is, never the secret itself. */
export type SecretReference = { readonly env: string } | { readonly file: string }

/** `{ env: NAME }` or `{ file: path }`. A plain string is refused, so that no secret ends up in version control. */
export function secretReference() {
  return z.union(
    [
      z.strictObject({
        env: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'write the name of an environment variable')
          .describe('Environment variable that holds it'),
      }),
      z.strictObject({ file: z.string().min(1).describe('File that holds it; read again when it changes') }),
    ],
    {
      error: 'write a reference, `{ env: NAME }` or `{ file: path }`: secrets do not stand in configuration',
    },
  )
}

/** A reference that may also lead into Azure Key Vault, to the newest version of a secret or certificate. */
export type AnySecretReference = SecretReference | { readonly keyVault: { readonly vault: string; readonly name: string } }

/** The same, or `keyvault://vault/name`. */
export function anySecretReference() {
  const vault = z
    .string()
    .regex(/^keyvault:\/\/[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]\/[A-Za-z0-9-]{1,127}$/)
    .transform((text) => {
      const [vaultName = '', name = ''] = text.slice('keyvault://'.length).split('/')
      return { keyVault: { vault: vaultName, name } }
    })
  return z.union([secretReference(), vault], {
    error:
      'write a reference, `{ env: NAME }`, `{ file: path }` or `keyvault://vault/name` without a version: secrets do not stand in configuration',
  })
}

/** https, or plain http where the host is loopback. Without credentials, query or fragment. */
export function secureUrl() {
  return z
    .string()
    .refine(
      (text) => isSecureUrl(text),
      'write an https URL without credentials, query or fragment (plain http only for 127.0.0.1, [::1] and localhost)',
    )
}

export function isLoopbackHost(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    host === '::1' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
  )
}

function isSecureUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))
}

/** A listener: `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:443`. Port 0 takes any free one. */
export function listenAddress() {
  return z
    .string()
    .regex(/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}$/, 'write an address and port such as `127.0.0.1:8080` or `[::1]:8080`')
    .meta({ examples: ['127.0.0.1:8080', '[::]:443'] })
    .transform((text) => {
      const cut = text.lastIndexOf(':')
      return { host: text.slice(0, cut).replace(/^\[|\]$/g, ''), port: Number(text.slice(cut + 1)) }
    })
    .refine(({ port }) => port <= 65_535, 'a port is at most 65535')
}

export type ListenAddress = z.output<ReturnType<typeof listenAddress>>
