/** What a browser calls itself, as people would say it: "Chrome on Linux". A name that many others carry along comes after those
 * that carry it. */

const browsers: [RegExp, string][] = [
  [/\bEdg(e|A|iOS)?\//, 'Edge'],
  [/\b(OPR|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\b(HeadlessChrome|Chromium)\//, 'Chromium'],
  [/\b(Chrome|CriOS)\//, 'Chrome'],
  [/\bVersion\/[\d.]+ (Mobile\/\w+ )?Safari\//, 'Safari'],
]
const systems: [RegExp, string][] = [
  [/\bAndroid\b/, 'Android'],
  [/\b(iPhone|iPad|iPod)\b/, 'iOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
]
const find = (list: [RegExp, string][], text: string) => list.find(([mark]) => mark.test(text))?.[1]

const AGENT_MAX = 500 // characters that are looked at; whoever sends more has something else in mind
const NAME_MAX = 40

export type Device = { name: string; system: string | null }
/** null: it says nothing that people know. */
export function deviceOf(agent: string): Device | null {
  const text = agent.slice(0, AGENT_MAX)
  const system = find(systems, text) ?? null
  const name = find(browsers, text)
  if (name !== undefined) return { name, system }
  // Programs say their name first: "curl/8.5.0".
  const program = /^([A-Za-z][\w.-]*)(?:[/ ]|$)/.exec(text)?.[1]
  return program === undefined || program === 'Mozilla' ? null : { name: program.slice(0, NAME_MAX), system }
}
