import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { VitePWA } from 'vite-plugin-pwa'
import { defineConfig } from 'vitest/config'

/** The server that `npm run dev` speaks to. */
const server = process.env.LORRY_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  plugins: [
    react(),
    tailwind(),
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
  build: { target: 'es2023', assetsInlineLimit: 0, sourcemap: false, modulePreload: { polyfill: false } },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/v1/ws': { target: server, ws: true },
      '^/(v1|problems|healthz|readyz|metrics)': server,
    },
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'] },
})
