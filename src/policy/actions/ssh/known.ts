/** What can be asked of a host, as a channel and its requests have it (RFC 4254, and agent and socket forwarding of OpenSSH). */
export const OPERATIONS: readonly string[] = ['shell', 'exec', 'sftp', 'subsystem', 'forward', 'listen', 'agent', 'x11']
/** What `*` stands for in a rule: work on the host itself. The others lead through it, or lend something to it. */
export const ORDINARY: readonly string[] = ['shell', 'exec', 'sftp']
export const ACCESSES: readonly string[] = ['read', 'write', 'list', 'remove']
/** Operations that have a target. */
export const WITH_TARGET: ReadonlySet<string> = new Set(['sftp', 'subsystem', 'forward', 'listen'])
/** The account that a rule has to name. */
export const GUARDED_LOGIN = 'root'

/** POSIX and what directories allow besides. */
export const LOGIN = /^[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}$/
export const SUBSYSTEM = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/
