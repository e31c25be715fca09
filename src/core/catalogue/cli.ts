import type { CatalogueEntry } from '../errors.ts'

export const cli = {
  'cli/usage': { message: '{problem}', help: 'see `ostiary {command} --help`', exit: 2 },
  'cli/no-gateway': {
    message: 'no gateway answers at {url} ({cause})',
    help: 'start it with `ostiary up`, or name its admin address with `--admin URL`',
    exit: 69,
  },
  'cli/not-signed-in': {
    message: 'the gateway at {url} wants a sign-in',
    help: 'run `ostiary login`, set OSTIARY_TOKEN, or add `--as auditor` with the demo',
    exit: 77,
  },
  'cli/refused': {
    message: 'the gateway refused: {reason}',
    help: 'run `ostiary whoami` to see who you are to it; decision {decision}',
    exit: 77,
  },
  'cli/answer': { message: 'the gateway answered {status}: {reason}', help: 'see its own output', exit: 70 },
  'cli/no-decision': {
    message: 'there is no decision `{id}` in the record',
    help: 'copy the id from the `ostiary-decision` header of the response; `ostiary audit search` lists recent ones',
    exit: 1,
  },
  'cli/plan-git': {
    message: '`{revision}` can not be read as a Git revision of {folder} ({cause})',
    help: 'name a revision such as `HEAD~1` or `origin/main`, a folder with ostiary.yaml, or `running`',
    exit: 66,
  },
  'cli/plan-record': {
    message: 'there is no record in {dir}',
    help: 'name the data directory of a gateway with `--replay DIR`, or leave the record out with `--no-replay`',
    exit: 66,
  },
  'cli/demo-public': {
    message: '`--demo` is refused with the listener {address}: it is reachable from outside this machine',
    help: 'the demo has a key that anybody can sign in with; listen on 127.0.0.1, or start without `--demo`',
    exit: 78,
  },
  'cli/no-config': {
    message: '`ostiary up` needs a configuration',
    help: 'write `ostiary up --config DIR`, or `ostiary up --demo` to look around first',
    exit: 2,
  },
  'cli/keys-file': {
    message: '{file} holds no public checkpoint keys ({cause})',
    help: 'write it with `ostiary keys public checkpoint > FILE`, and keep it where the gateway can not write',
    exit: 66,
  },
  'cli/log-file': {
    message: 'the log `{file}` can not be read ({cause})',
    help: 'name a file of JSON: one value to a line, or one document',
    exit: 66,
  },
  'cli/login-failed': { message: 'sign-in failed: {reason}', help: 'run `ostiary login` again', exit: 77 },
  'cli/no-workload': {
    message: 'nothing on this machine tells who runs here',
    help: 'run it in GitHub Actions with `id-token: write`, with Azure workload or managed identity, or name a file with `--token-file` or OSTIARY_TOKEN_FILE',
    exit: 78,
  },
  'cli/no-login': {
    message: 'the gateway at {url} offers no sign-in for the command line',
    help: 'give an issuer `signIn` with a `clientId` in ostiary.yaml, or set OSTIARY_TOKEN',
    exit: 78,
  },
  'cli/exec-info': {
    message: '`KUBERNETES_EXEC_INFO` {problem}',
    help: 'kubectl sets it, and names a server by https; update kubectl to 1.22 or newer, or run `ostiary kube-token` without it',
    exit: 65,
  },
  'cli/kube-not-signed-in': {
    message: 'nobody is signed in to the gateway at {url}',
    help: 'run `ostiary login --admin {url}`',
    exit: 77,
  },
  'cli/kube-over': {
    message: 'the sign-in to the gateway at {url} is over ({reason})',
    help: 'run `ostiary login --admin {url}`',
    exit: 77,
  },
  'cli/kube-unavailable': {
    message: 'the sign-in to the gateway at {url} could not be renewed ({reason})',
    help: 'try again once gateway and provider can be reached; the sign-in is kept',
    exit: 69,
  },
  'cli/kube-refused': {
    message: 'the provider gives no token for `{wanted}` ({reason})',
    help: 'have it permitted for this client at the provider, or run `ostiary login` again where it wants a person',
    exit: 77,
  },
  'cli/kube-directory': {
    message: 'what the gateway at {url} says of its clusters can not be used: {problem}',
    help: 'look whether `--admin` names the gateway that you mean; nothing was written',
    exit: 76,
  },
  'cli/kube-none': {
    message: 'the gateway at {url} lists no cluster for you',
    help: 'clusters are resources with `protocol: kubernetes` on which the policy gives you something: see `ostiary whoami`',
    exit: 1,
  },
  'cli/kube-no-cluster': {
    message: 'the gateway at {url} lists no cluster `{name}` for you',
    help: '{near}',
    exit: 1,
  },
  'cli/kubeconfig-broken': {
    message: '{file} can not be read as a kubeconfig ({problem})',
    help: 'mend it, move it away, or name another with `--kubeconfig FILE`; nothing was written',
    exit: 65,
  },
  'cli/kubeconfig-taken': {
    message: 'the {what} `{name}` in {file} was not written for this gateway',
    help: 'choose other names with `--context-prefix TEXT`, or rename it with `kubectl config rename-context`; nothing was written',
    exit: 73,
  },
  'cli/kubeconfig-locked': {
    message: '{file} is locked by another program',
    help: 'wait until it is done; if no kubectl runs, remove {lock}',
    exit: 75,
  },
  'cli/kubeconfig-write': {
    message: '{file} can not be written ({cause})',
    help: 'name a file with `--kubeconfig FILE` that this user may write, or use `--print`',
    exit: 73,
  },
  'cli/aws-credentials': {
    message: 'there are no AWS credentials in the environment or in the profile `{profile}`',
    help: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name another profile with `--profile`, or run `aws configure`',
    exit: 77,
  },
  'cli/aws-source': {
    message: 'AWS credentials from `{source}` are not supported yet',
    help: 'let the AWS command line get them: `eval "$(aws configure export-credentials {option}--format env)"`',
    exit: 77,
  },
  'cli/aws-region': {
    message: 'there is no AWS region to sign for',
    help: 'set AWS_REGION, or add `--region eu-central-1`; the gateway accepts those in `regions` of its issuer',
    exit: 2,
  },
  'cli/ssh-certificate': {
    message: 'there is no user certificate of OpenSSH {where} that can be used',
    help: 'have your authority certify your key (`ssh-keygen -L -f FILE-cert.pub` shows what it says), add it to the agent, or name the key with `--identity FILE`',
    exit: 77,
  },
  'cli/ssh-expired': {
    message: 'the certificate in {place} is good from {from} until {until} only',
    help: 'get a new one from your authority, or name another key with `--identity FILE`',
    exit: 77,
  },
  'cli/ssh-tool': {
    message: '`{tool}` can not be run',
    help: 'install the client of OpenSSH, 8.2 or newer, and put it on the PATH',
    exit: 69,
  },
  'cli/ssh-sign': {
    message: '`ssh-keygen` did not sign with the key of {place}',
    help: 'see what it says above; the key has to be there or in the agent, and is unlocked or touched when it asks',
    exit: 77,
  },
  'cli/token-file': {
    message: 'there is no file of the name that was given ({cause})',
    help: 'pipe the token in, or name a file that holds it. It is never an argument itself: others on this machine see arguments, and the shell keeps them',
    exit: 66,
  },
  'cli/token-none': {
    message: 'nothing was given to explain',
    help: 'pipe a token or an error in, or name a file: `ostiary doctor token < FILE`',
    exit: 2,
  },
  'cli/token-large': {
    message: 'more than {limit} bytes were given',
    help: 'give the token or the text of the error alone',
    exit: 65,
  },
  'cli/init-exists': {
    message: 'this is there already, and is not written over: {files}',
    help: 'name another folder, or move it away; nothing was written',
    exit: 73,
  },
  'cli/init-write': { message: '`{file}` can not be written ({cause})', help: 'name a folder that this user may write to', exit: 73 },
  'cli/init-ended': {
    message: 'the questions were not answered to the end, so nothing was written',
    help: 'run it again in a terminal, or give all answers as options: see `ostiary init --help`',
    exit: 2,
  },
} as const satisfies Record<string, CatalogueEntry>
