import { readFileSync } from 'node:fs'
import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { VitePWA } from 'vite-plugin-pwa'
import { defineConfig } from 'vitest/config'
import { parse } from 'yaml'

/** The server that `npm run dev` speaks to. */
const server = process.env.LORRY_URL ?? 'http://127.0.0.1:8080'

/** The API's description, which /docs shows and anybody may fetch: as it is written, and as JSON. */
const apiDescription = {
  name: 'api-description',
  generateBundle(this: { emitFile(file: { type: 'asset'; fileName: string; source: string }): unknown }) {
    for (const name of ['openapi', 'asyncapi']) {
      const yaml = readFileSync(new URL(`../api/${name}.yaml`, import.meta.url), 'utf8')
      this.emitFile({ type: 'asset', fileName: `${name}.yaml`, source: yaml })
      this.emitFile({ type: 'asset', fileName: `${name}.json`, source: JSON.stringify(parse(yaml)) })
    }
  },
}

export default defineConfig({
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  plugins: [
    react(),
    tailwind(),
    apiDescription,
    VitePWA({
      registerType: 'prompt',
      injectRegister: false, // a strict CSP has no inline scripts: app/pwa.ts registers it
      manifest: {
        name: 'Lorry',
        short_name: 'Lorry',
        description: 'Book, drive, dispatch and follow goods vehicles',
        start_url: '/',
        display: 'standalone',
        theme_color: '#0F766E',
        background_color: '#F4F5F5',
        icons: [
          { src: '/icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' },
          { src: '/icon-maskable.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'maskable' },
        ],
      },
      workbox: {
        globPatterns: ['**/*.{js,mjs,css,html,svg,woff2}'],
        // The API reference is for desks with a network; letters that no language here is written with come when they are met.
        globIgnores: ['**/viewer-*', '**/DocsPage-*', '**/*-desk-*', '**/inter-{cyrillic,greek,vietnamese}*'],
        navigateFallback: '/index.html',
        // /track: its headers come from the server, and keep its address to itself
        navigateFallbackDenylist: [
          /^\/v1\//,
          /^\/problems\//,
          /^\/docs/,
          /^\/track\//,
          /^\/(healthz|readyz|metrics)/,
        ],
        maximumFileSizeToCacheInBytes: 4_000_000,
      },
    }),
  ],
  build: {
    rollupOptions: {
      output: {
        // What is for a desk with a network carries it in its name, so that no phone keeps it (globIgnores above).
        chunkFileNames: (chunk) =>
          /\/src\/(admin|account|i18n\/\w+)\//.test(chunk.facadeModuleId ?? '')
            ? 'assets/[name]-desk-[hash].js'
            : 'assets/[name]-[hash].js',
      },
    },
    target: 'es2023',
    assetsInlineLimit: 0,
    sourcemap: false,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/v1/ws': { target: server, ws: true },
      '^/(v1|problems|healthz|readyz|metrics|openapi|asyncapi)': server,
    },
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'] },
})
