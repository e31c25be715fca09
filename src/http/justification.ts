/** What a caller says in `Ostiary-Justification` that a request is for. Its text: visible ASCII, in which `%` begins a percent-encoded byte of UTF-8. One that can't be read is none. */
export function justificationOf(value: string | undefined): string | undefined {
  if (value === undefined || value.trim() === '') return undefined
  try {
    const text = decodeURIComponent(value.trim())
    return /[\x00-\x1f\x7f]/.test(text) || /[^\x20-\x7e]/.test(value) ? undefined : text
  } catch {
    return undefined
  }
}
