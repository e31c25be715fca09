/** Methods that are about a tool, a prompt or the URI of a resource (Model Context Protocol, 2025-11-25). */
export const OF_TOOLS: readonly string[] = ['tools/call']
export const OF_PROMPTS: readonly string[] = ['prompts/get']
export const OF_URIS: readonly string[] = ['resources/read', 'resources/subscribe', 'resources/unsubscribe']
export const WITH_NAME: ReadonlySet<string> = new Set([...OF_TOOLS, ...OF_PROMPTS, ...OF_URIS])

export const METHODS: readonly string[] = [
  ...WITH_NAME,
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/cancel',
  'initialize',
  'server/discover',
  'ping',
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
]

/** What a rule has to name: calls of tools, and what a server asks of the one who connected to it. */
export const GUARDED: readonly string[] = ['tools/call', 'sampling/createMessage', 'elicitation/create', 'roots/list']

/** Names of tools and prompts. */
export const NAME = /^[A-Za-z0-9_][A-Za-z0-9_./:-]{0,127}$/
