import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { OstiaryError } from '../../core/errors.ts'
import { REGION } from '../../identity/aws/regions.ts'
import type { AwsCredentials } from './sign.ts'

export interface AwsSource {
  readonly credentials: AwsCredentials
  readonly region: string
}

/** What was asked for on the command line. */
export interface AwsChoice {
  readonly profile?: string | undefined
  readonly region?: string | undefined
}

/** Settings of the environment that name a source of credentials which isn't read here. */
const OTHER_SOURCES = ['AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', 'AWS_CONTAINER_CREDENTIALS_FULL_URI']
/** The same of a profile. */
const OTHER_SETTINGS = ['role_arn', 'sso_session', 'sso_start_url', 'credential_process', 'web_identity_token_file', 'login_session']

/**
 * Credentials and region as AWS's own tools find them: the environment, unless a profile is asked for, then the shared
 * `credentials` and `config` files. Asks nobody.
 * @throws OstiaryError `cli/aws-credentials`, `cli/aws-source`, `cli/aws-region`
 */
export function findAws(choice: AwsChoice, env: Readonly<Record<string, string | undefined>> = process.env): AwsSource {
  const read = (name: string): string | undefined => (env[name] === '' ? undefined : env[name])
  const folder = join(read('HOME') ?? homedir(), '.aws')
  const wanted = choice.profile ?? read('AWS_PROFILE')
  const profile = wanted ?? 'default'
  const config = readProfile(read('AWS_CONFIG_FILE') ?? join(folder, 'config'), profile === 'default' ? profile : `profile ${profile}`)
  const region = choice.region ?? read('AWS_REGION') ?? read('AWS_DEFAULT_REGION') ?? config['region']
  const credentials =
    // A profile that was asked for by name counts more than what happens to be in the environment.
    (choice.profile === undefined
      ? pick(read('AWS_ACCESS_KEY_ID'), read('AWS_SECRET_ACCESS_KEY'), read('AWS_SESSION_TOKEN'))
      : undefined) ??
    ofProfile(readProfile(read('AWS_SHARED_CREDENTIALS_FILE') ?? join(folder, 'credentials'), profile)) ??
    ofProfile(config)
  if (credentials === undefined) {
    const other = OTHER_SETTINGS.find((name) => config[name] !== undefined) ?? OTHER_SOURCES.find((name) => read(name) !== undefined)
    if (other !== undefined)
      throw new OstiaryError('cli/aws-source', { source: other, option: wanted === undefined ? '' : `--profile ${wanted} ` })
    throw new OstiaryError('cli/aws-credentials', { profile })
  }
  if (region === undefined || !REGION.test(region)) throw new OstiaryError('cli/aws-region')
  return { credentials, region }
}

function ofProfile(settings: Readonly<Record<string, string>>): AwsCredentials | undefined {
  return pick(settings['aws_access_key_id'], settings['aws_secret_access_key'], settings['aws_session_token'])
}

function pick(id: string | undefined, secret: string | undefined, sessionToken: string | undefined): AwsCredentials | undefined {
  return id === undefined || secret === undefined ? undefined : { accessKeyId: id, secretAccessKey: secret, sessionToken }
}

/** The settings of one section; none where there is no such file or section. Nested settings (indented) are left out. */
function readProfile(file: string, section: string): Readonly<Record<string, string>> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return {}
  }
  const settings = Object.create(null) as Record<string, string>
  let inside = false
  for (const line of text.split(/\r?\n/)) {
    const header = /^\[\s*([^\]]*?)\s*\]/.exec(line)?.[1]
    if (header !== undefined) inside = header.replaceAll(/\s+/g, ' ').replaceAll(/["']/g, '') === section
    const [, name, value] = /^([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (inside && name !== undefined && value !== undefined && value !== '') settings[name.toLowerCase()] = value
  }
  return settings
}
