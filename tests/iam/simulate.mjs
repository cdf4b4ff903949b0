// Reads a JSON list of simulations on stdin; prints for each its decision, or why there is none.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const from = createRequire(process.env.IAM_SIMULATE + '/package.json')
const { runSimulation } = await import(
  pathToFileURL(from.resolve('@cloud-copilot/iam-simulate')).href
)

const decisions = []
for (const simulation of JSON.parse(readFileSync(0, 'utf-8'))) {
  const found = await runSimulation(simulation, {})
  const ignored = found.result?.ignoredContextKeys ?? []
  if (found.resultType === 'error') decisions.push({ unjudged: JSON.stringify(found.errors) })
  else if (found.resultType !== 'single') decisions.push({ unjudged: 'asks for any resource' })
  else if (ignored.length) decisions.push({ unjudged: `ignores ${ignored}` })
  else decisions.push({ decision: found.overallResult })
}
console.log(JSON.stringify(decisions))
