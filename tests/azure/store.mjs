// A real Azure Blob store on this machine (Azurite), with one container, behind a door that fails one request in so many:
// half of them before the store has heard of them, half after it has done what it was asked.
//   node store.mjs AZURITE CONTAINER ONE_IN    prints the store's URL, and ends when nothing holds its standard input
//   ONE_IN 0: none fails
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import http from 'node:http'

const [azurite, container, oneIn] = process.argv.slice(2)
// The account that every emulator has, and its published key.
const ACCOUNT = 'devstoreaccount1'
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

const store = spawn(process.execPath, [
  `${azurite}/node_modules/azurite/dist/src/blob/main.js`,
  '--blobPort', '0', '--inMemoryPersistence', '--disableTelemetry', '--skipApiVersionCheck'
], { stdio: ['ignore', 'pipe', 'inherit'] })
process.stdin.resume()
process.stdin.on('end', () => { store.kill('SIGKILL'); process.exit(0) })
store.on('exit', code => process.exit(code ?? 1))

const port = await new Promise(resolve => {
  let told = ''
  store.stdout.on('data', data => {
    told += data
    const at = told.match(/listens on http:\/\/127\.0\.0\.1:(\d+)/)
    if (at) resolve(Number(at[1]))
  })
})

await new Promise((resolve, reject) => {
  const at = new Date().toUTCString()
  const headers = { 'x-ms-date': at, 'x-ms-version': '2021-08-06', 'content-length': '0' }
  const signed = ['PUT', '', '', '', '', '', '', '', '', '', '', '',
    `x-ms-date:${at}`, 'x-ms-version:2021-08-06',
    `/${ACCOUNT}/${ACCOUNT}/${container}`, 'restype:container'].join('\n')
  const signature = createHmac('sha256', Buffer.from(KEY, 'base64')).update(signed).digest('base64')
  headers.authorization = `SharedKey ${ACCOUNT}:${signature}`
  const path = `/${ACCOUNT}/${container}?restype=container`
  http.request({ port, method: 'PUT', path, headers }, answer => {
    if (answer.statusCode === 201) resolve()
    else reject(new Error(`the container was not made: ${answer.statusCode}`))
    answer.resume()
  }).on('error', reject).end()
})

// One step of a small generator of numbers a request: the same requests fail in the same order.
let state = 1n
const draw = () => {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn
  return Number(state >> 33n)
}
const door = http.createServer((asked, answer) => {
  const drawn = draw()
  const fails = oneIn > 0 && drawn % oneIn === 0
  const isAfter = fails && Math.floor(drawn / oneIn) % 2 === 0
  if (fails && !isAfter) {
    asked.resume()
    asked.on('end', () => { answer.writeHead(503); answer.end() })
    return
  }
  const forwarded = http.request(
    { port, method: asked.method, path: asked.url, headers: asked.headers },
    told => {
      if (isAfter) {
        told.resume()
        told.on('end', () => asked.socket.destroy())
        return
      }
      answer.writeHead(told.statusCode, told.rawHeaders)
      told.pipe(answer)
    })
  forwarded.on('error', () => asked.socket.destroy())
  asked.pipe(forwarded)
})
door.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${door.address().port}`))
