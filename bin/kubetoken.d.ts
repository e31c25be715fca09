/** What `kubetoken.js` has for the command line itself, so that both answer alike. */
export interface ExecInfo {
  readonly version: string
  /** Undefined where kubectl didn't ask. */
  readonly interactive: boolean | undefined
}
export declare const AHEAD: number
export declare function readExecInfo(text: string | undefined): ExecInfo | { readonly problem: string }
export declare function execCredential(version: string, token: string, expires: number, now: number): string
export declare function tokenKey(url: string, scope: string | undefined): string
export declare function cachedCredential(args: readonly string[], env: NodeJS.ProcessEnv, now: number): Promise<string | undefined>
