import { execCredential, readExecInfo, tokenKey } from '../../../bin/kubetoken.js'
import { OstiaryError } from '../../core/errors.ts'
import { personLogin } from '../login.ts'
import { currentToken, type NoToken } from '../signin/lasting.ts'
import { locked } from '../signin/lock.ts'
import { endOf } from '../workload.ts'

export interface Asked {
  readonly url: string
  /** For a cluster that has an audience of its own. */
  readonly scope: string | undefined
}

/** Where kubectl runs. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  /** Whether somebody sits there who could be told something. */
  readonly terminal: boolean
  readonly say: (line: string) => void
}

/**
 * The ExecCredential that kubectl reads (`client.authentication.k8s.io`). Somebody is asked to sign in only where kubectl says that it may be.
 * @throws OstiaryError `cli/exec-info`, `cli/kube-not-signed-in`, `cli/kube-over`, `cli/kube-unavailable`, `cli/kube-refused`
 */
export async function credential({ url, scope }: Asked, { env, terminal, say }: Surroundings): Promise<string> {
  const info = readExecInfo(env['KUBERNETES_EXEC_INFO'])
  if ('problem' in info) throw new OstiaryError('cli/exec-info', { problem: info.problem })
  const answer = ({ token, expires }: { readonly token: string; readonly expires: number }): string =>
    execCredential(info.version, token, expires, Date.now())
  const given = env['OSTIARY_TOKEN']
  if (given !== undefined && scope === undefined) return answer({ token: given, expires: endOf(given) })
  const found = await currentToken(url, scope)
  if (!('none' in found)) return answer(found)
  const mayAsk = terminal && (info.interactive ?? true) && (found.none === 'not-signed-in' || found.none === 'over')
  if (!mayAsk) throw missing(found, url, scope)
  const got = await locked(async () => {
    // Another command at the same time may have asked.
    const again = await currentToken(url, scope)
    if (!('none' in again)) return again
    await personLogin(url, {}, say)
    return currentToken(url, scope)
  }, 'signing-in')
  if ('none' in got) throw missing(got, url, scope)
  return answer(got)
}

function missing({ none, reason }: NoToken, url: string, scope: string | undefined): OstiaryError {
  switch (none) {
    case 'not-signed-in':
      return new OstiaryError('cli/kube-not-signed-in', { url })
    case 'over':
      return new OstiaryError('cli/kube-over', { url, reason })
    case 'unavailable':
      return new OstiaryError('cli/kube-unavailable', { url, reason })
    case 'refused':
      return new OstiaryError('cli/kube-refused', { wanted: scope ?? tokenKey(url, scope), reason })
  }
}
