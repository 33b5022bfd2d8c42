import { readFileSync } from 'node:fs'
import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
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

/** Each face's page (book.html for /book and all below it): index.html, and the names of what the face is made of, so that a
 * browser fetches that at once, and not only when the first script has found out whose address it is. */
const faces = { book: 'BookFace', track: 'TrackPage', drive: 'DriveFace', dispatch: 'DispatchFace' }
const facePages: Plugin = {
  name: 'face-pages',
  enforce: 'post',
  generateBundle(_options, bundle) {
    const page = bundle['index.html']
    if (page?.type !== 'asset') throw new Error('no index.html was built')
    const html = String(page.source)
    for (const [path, face] of Object.entries(faces)) {
      const needed = new Set<string>()
      const open = Object.values(bundle).flatMap((c) =>
        c.type === 'chunk' && c.name === face ? [c.fileName] : [],
      )
      if (open.length !== 1) throw new Error(`${open.length} chunks are called ${face}`)
      for (let name = open.pop(); name !== undefined; name = open.pop()) {
        const chunk = bundle[name]
        if (needed.has(name) || chunk?.type !== 'chunk') continue
        needed.add(name)
        open.push(...chunk.imports)
      }
      const links = [...needed]
        .filter((name) => !html.includes(name))
        .map((name) => `    <link rel="modulepreload" crossorigin href="/${name}">\n`)
      const source = html.replace('</head>', `\n${links.join('')}  </head>`)
      this.emitFile({ type: 'asset', fileName: `${path}.html`, source })
    }
  },
}

/** What the bundler puts around each import(): ours instead of its own, for what src/app/bring.ts says. */
const bringFirst: Plugin = {
  name: 'bring-first',
  enforce: 'pre',
  apply: 'build',
  load(id) {
    if (id !== '\0vite/preload-helper.js') return null
    const path = new URL('./src/app/bring.ts', import.meta.url).pathname
    return `export { bring as __vitePreload } from ${JSON.stringify(path)}`
  },
  generateBundle: {
    order: 'post',
    handler(_options, bundle) {
      for (const chunk of Object.values(bundle))
        for (const [name] of chunk.type === 'chunk'
          ? chunk.code.matchAll(/assets\/[\w.-]+\.(?:js|css)(?=["`])/g)
          : [])
          if (bundle[name] === undefined)
            throw new Error(`${chunk.fileName} waits for ${name}, which is not built`)
    },
  },
}

export default defineConfig({
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  plugins: [
    react(),
    tailwind(),
    apiDescription,
    facePages,
    bringFirst,
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
    modulePreload: {
      polyfill: false,
      // of an import() also the file itself, which the bundler leaves out where it is the only one
      resolveDependencies: (file, others, { hostType }) =>
        hostType === 'js' ? [...new Set([file, ...others])] : others,
    },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/v1/ws': { target: server, ws: true },
      '^/(v1|problems|healthz|readyz|metrics|openapi|asyncapi)': server,
    },
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}', 'scripts/**/*.test.ts'] },
})
