/** Programs that take a secret behind a short option. */

export interface Options {
  /** `-psecret` */
  readonly attached?: RegExp
  /** `-p secret` */
  readonly apart?: RegExp
  /** `-u name:secret`, up to its colon */
  readonly pair?: RegExp
}

const PROGRAMS: readonly (readonly [RegExp, Options])[] = [
  [/^(?:mysql|mariadb)[a-z_-]*$/, { attached: /^-p/ }],
  [/^sshpass$/, { attached: /^-p/, apart: /^-p$/ }],
  [/^mongo[a-z]*$/, { attached: /^-p/, apart: /^-p$/ }],
  [/^(?:redis|valkey)-cli$/, { apart: /^-a$/ }],
  [/^(?:docker|podman|nerdctl|buildah|skopeo|helm|oras|crane|az)$/, { apart: /^-p$/ }],
  [/^ldap[a-z]+$/, { attached: /^-w/, apart: /^-w$/ }],
  [/^(?:sqlcmd|bcp)$/, { attached: /^-P/, apart: /^-P$/ }],
  [/^curl$/, { pair: /(?:^|[\s\0])(?:(?:-u|-U|--user|--proxy-user)[ =\0]["']?|-u)[^\s:\0"']+:$/ }],
  [/^cqlsh$/, { apart: /^-p$/ }],
]

/** Programs whose `-p…` is no password. */
const OTHER_P =
  /^(?:mkdir|cp|mv|tar|ls|ps|ssh|scp|sftp|rsync|install|nc|ncat|netcat|lsof|pgrep|pidof|perl|python[\d.]*|node|ruby|sed|grep|find|xargs|ping6?|make|ba?sh|zsh|da?sh|git|netstat|ss|kill|psql|pg_[a-z]+|createdb|unzip|nmap|patch|top|htop|date|touch|tee|less|head|tail|df|du|stat|strace|gdb|telnet|nslookup|dig|cargo|npm|kubectl|jq|systemctl|ip|iptables|nsenter|chroot|taskset|chrt|nice|read|declare|export|type|command|test|time|watch|pkill)$/

/** A port, or several: `8080:80/tcp`. */
const PORTS = /^[\d.:-]+(?:\/(?:tcp|udp))?$/

/** The first three letters of each: most words are none of them. */
const KNOWN = new Set('mys mar ssh mon red val doc pod ner bui sko hel ora cra az lda sql bcp cur cql'.split(' '))

export function optionsOf(run: string): Options | undefined {
  const from = run.lastIndexOf('/') + 1
  if (!KNOWN.has(run.slice(from, from + 3))) return undefined
  const name = run.slice(from)
  return PROGRAMS.find(([known]) => known.test(name))?.[1]
}

/** Whether `-p…` of this program could be a password, where nothing is known of it. */
export function mayBePassword(program: string, value: string): boolean {
  // Many have long options with a single dash.
  return /[^a-z-]/.test(value) && !OTHER_P.test(program.slice(program.lastIndexOf('/') + 1)) && !PORTS.test(value)
}

export function isPorts(value: string): boolean {
  return PORTS.test(value)
}
