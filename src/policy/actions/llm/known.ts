/** Operations on a model. */
export const WITH_MODEL: readonly string[] = [
  'chat',
  'complete',
  'embed',
  'image',
  'speech',
  'transcribe',
  'moderate',
  'rerank',
  'count',
  'tune',
]
/** Operations on none. */
export const WITHOUT_MODEL: readonly string[] = ['models', 'batch', 'file']
export const OPERATIONS: readonly string[] = [...WITH_MODEL, ...WITHOUT_MODEL]
/** What a rule has to name: what keeps data at the provider, or runs without an answer to wait for. */
export const GUARDED: readonly string[] = ['tune', 'batch', 'file']

/** A model, with its provider's prefix. Lower case: to many a provider `GPT-4o` is `gpt-4o`. */
export const MODEL = /^[a-z0-9][a-z0-9._:/@+-]{0,254}$/
