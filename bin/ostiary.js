#!/usr/bin/env node
// Plain JavaScript that any Node from 18 on can read. kubectl waits for a token before every command: one that is kept is answered
// before anything else is loaded. All else starts in `start.js`.
import { writeSync } from 'node:fs'

const [command, ...args] = process.argv.slice(2)
const answer = command === 'kube-token' ? await (await import('./kubetoken.js')).cachedCredential(args, process.env, Date.now()) : undefined
if (answer === undefined) await import('./start.js')
else writeSync(1, answer)
