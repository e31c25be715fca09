export { readBody } from '../secrets/body.ts'
