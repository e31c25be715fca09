import type { Command } from 'commander'
import type { CommandContext } from '../main.ts'
import { revocations, revoke, sessions } from './access.ts'
import { activate, activations } from './activate.ts'
import { apply, drift } from './apply.ts'
import { access, canI, whoCan } from './ask.ts'
import { audit } from './audit.ts'
import { check } from './check.ts'
import { compile } from './compile.ts'
import { completion } from './completion.ts'
import { doctor } from './doctor.ts'
import { envoy } from './envoy.ts'
import { explain } from './explain.ts'
import { importing } from './import.ts'
import { init } from './init.ts'
import { keys } from './keys.ts'
import { kubeconfig } from './kubeconfig.ts'
import { kubeToken } from './kubetoken.ts'
import { login, logout, whoami } from './login.ts'
import { lsp } from './lsp.ts'
import { plan } from './plan.ts'
import { prove } from './prove.ts'
import { policy } from './policy.ts'
import { recordings } from './recordings.ts'
import { rollout } from './rollout.ts'
import { targets } from './targets.ts'
import { test } from './test.ts'
import { token } from './token.ts'
import { up } from './up.ts'

/** A command's work. Answers its exit code; nothing means 0. */
export type Run = (context: CommandContext, args: readonly unknown[], command: Command) => Promise<number | void> | number | void
/** Adds a command; `action` wraps its work with the handling of errors that all share. */
export type Register = (root: Command, action: (run: Run) => (...all: unknown[]) => Promise<void>) => void

export const commands: readonly Register[] = [
  up,
  init,
  token,
  login,
  logout,
  whoami,
  kubeconfig,
  kubeToken,
  check,
  test,
  plan,
  policy,
  compile,
  importing,
  apply,
  drift,
  targets,
  rollout,
  prove,
  envoy,
  doctor,
  explain,
  whoCan,
  canI,
  access,
  activate,
  activations,
  audit,
  sessions,
  recordings,
  revoke,
  revocations,
  keys,
  completion,
  lsp,
]
