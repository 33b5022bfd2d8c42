/** The browser tests: the real binary, Debian's Chromium, no network but this machine. */
import { defineConfig } from '@playwright/test'

export default defineConfig({
  testDir: 'e2e',
  // It tests nothing: it makes the pictures of docs/screens (npm run screens).
  testIgnore: process.env.SCREENS === undefined ? ['screens.spec.ts'] : [],
  timeout: 60_000,
  expect: { timeout: 15_000 },
  fullyParallel: false,
  workers: 1,
  // On a shared machine that integrates, once more; the report names what was flaky.
  retries: process.env.CI === 'true' ? 1 : 0,
  reporter: [['list']],
  outputDir: 'test-results',
  use: {
    browserName: 'chromium',
    locale: 'en-GB',
    timezoneId: 'Europe/Stockholm',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox', // the tests may run as root
        '--use-gl=angle',
        '--use-angle=swiftshader',
        '--enable-unsafe-swiftshader',
        '--ignore-gpu-blocklist',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
})
