import type { Command } from 'commander'
import { OstiaryError } from '../../core/errors.ts'
import { MAX_EXPIRES } from '../../identity/aws/presigned.ts'
import { finish, type SignedIn } from '../login.ts'
import { findAws } from './credentials.ts'
import { presignToken } from './sign.ts'

export interface AwsToken {
  readonly token: string
  /** Milliseconds since the epoch. The gateway may believe it for a shorter time. */
  readonly expires: number
}

/**
 * A bearer token that the AWS credentials of this machine sign. Asks nobody.
 * @throws OstiaryError `cli/usage`, `cli/aws-credentials`, `cli/aws-source`, `cli/aws-region`
 */
export function awsToken(command: Command, now = Date.now()): AwsToken {
  const { audience, region, profile } = command.opts<{ audience?: string; region?: string; profile?: string }>()
  if (audience === undefined)
    throw new OstiaryError('cli/usage', {
      problem: '`--aws` needs the audience that the gateway’s issuer has: `--audience VALUE`',
      command: command.name(),
    })
  const token = presignToken({ ...findAws({ region, profile }), audience, now })
  // The date is signed in whole seconds.
  return { token, expires: Math.floor(now / 1000) * 1000 + MAX_EXPIRES * 1000 }
}

/** Makes such a token, asks the gateway whom it takes it for, and keeps it for the commands that ask this gateway. */
export async function awsLogin(admin: string, command: Command): Promise<SignedIn> {
  const { token, expires } = awsToken(command)
  return finish(admin, { token, expires })
}
