/** Operations on images. */
export const OF_IMAGES: readonly string[] = ['pull', 'push', 'build', 'tag', 'save', 'load', 'import', 'rmi', 'images', 'history']
/** Operations on containers, as the command line calls them; `run` is the creation of one. */
export const OF_CONTAINERS: readonly string[] = [
  'run',
  'start',
  'stop',
  'restart',
  'kill',
  'pause',
  'unpause',
  'rm',
  'rename',
  'update',
  'wait',
  'logs',
  'top',
  'stats',
  'diff',
  'inspect',
  'ps',
  'port',
  'exec',
  'attach',
  'cp',
  'export',
  'commit',
]
/** Operations on what is neither. */
export const OF_NEITHER: readonly string[] = [
  'volume',
  'network',
  'events',
  'info',
  'version',
  'prune',
  'login',
  'plugin',
  'swarm',
  'other',
]
export const OPERATIONS: readonly string[] = [...OF_IMAGES, ...OF_CONTAINERS, ...OF_NEITHER]

/** What a rule has to name: a way into containers, what runs code or takes content from elsewhere, and what changes the engine. */
export const GUARDED: readonly string[] = [
  'exec',
  'attach',
  'cp',
  'export',
  'commit',
  'build',
  'load',
  'import',
  'prune',
  'login',
  'plugin',
  'swarm',
  'other',
]

/** What opens the host to a container, besides `mount` with a path. */
export const OPTIONS: readonly string[] = [
  'privileged',
  'host-network',
  'host-pid',
  'host-ipc',
  'host-uts',
  'host-user',
  'host-cgroup',
  'capabilities',
  'devices',
  'unconfined',
  'sysctls',
  'runtime',
  'volumes-from',
  'other',
]
/** Operations that can have options. */
export const WITH_OPTIONS: ReadonlySet<string> = new Set(['run', 'exec', 'build', 'update', 'volume'])

export const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,253}$/
